// Call-out authorisation: the cluster auth decides about each request.
#include <string>

#include "proxy_wasm_intrinsics.h"

class Authorize : public Context {
public:
  explicit Authorize(uint32_t id, RootContext *root) : Context(id, root) {}

  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    removeRequestHeader("x-user"); // only we may send this
    HeaderStringPairs asked = {
      {":method", "GET"},
      {":path", "/check"},
      {":authority", "auth"},
      {"authorization", getRequestHeader("authorization")->toString()},
      {"x-original-method", getRequestHeader(":method")->toString()},
      {"x-original-path", getRequestHeader(":path")->toString()},
    };
    auto answered = [stream = id()](uint32_t, size_t, uint32_t) {
      if (ContextBase *context = getContextBase(stream)) static_cast<Authorize *>(context)->answered();
    };
    if (root()->httpCall("auth", asked, "", {}, 500, answered) != WasmResult::Ok)
      refuse(503, "authorisation is out of order\n");
    return FilterHeadersStatus::StopAllIterationAndWatermark;
  }

private:
  void answered() {
    std::string status = getHeaderMapValue(WasmHeaderMapType::HttpCallResponseHeaders, ":status")->toString();
    std::string user = getHeaderMapValue(WasmHeaderMapType::HttpCallResponseHeaders, "x-user")->toString();
    setEffectiveContext();
    if (status == "200") {
      replaceRequestHeader("x-user", user);
      continueRequest();
    } else if (status == "401" || status == "403") {
      refuse(std::stoi(status), "forbidden\n");
    } else {
      refuse(503, "authorisation is out of order\n");
    }
  }

  static void refuse(uint32_t status, std::string_view why) { sendLocalResponse(status, "", why, {}); }
};

static RegisterContextFactory authorize(CONTEXT_FACTORY(Authorize));
