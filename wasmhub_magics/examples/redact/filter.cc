// Body redaction: of 16 digits in a row the last four stay.
#include <string>

#include "proxy_wasm_intrinsics.h"

class Redaction : public Context {
public:
  explicit Redaction(uint32_t id, RootContext *root) : Context(id, root) {}

  FilterHeadersStatus onResponseHeaders(uint32_t, bool) override {
    std::string kind = getResponseHeader("content-type")->toString();
    readable_ = kind.starts_with("application/json") || kind.starts_with("text/");
    return FilterHeadersStatus::Continue;
  }

  FilterDataStatus onResponseBody(size_t size, bool end_of_stream) override {
    if (!readable_) return FilterDataStatus::Continue;
    if (!end_of_stream) return FilterDataStatus::StopIterationAndBuffer; // until all of the body is here
    std::string body = getBufferBytes(WasmBufferType::HttpResponseBody, 0, size)->toString();
    for (size_t at = 0, run = 0; at <= body.size(); at++) {
      if (at < body.size() && body[at] >= '0' && body[at] <= '9') {
        run++;
        continue;
      }
      if (run == 16) body.replace(at - 16, 12, 12, '*');
      run = 0;
    }
    setBuffer(WasmBufferType::HttpResponseBody, 0, size, body); // as long as before, so content-length stays right
    return FilterDataStatus::Continue;
  }

private:
  bool readable_ = false; // whether the body is JSON or text
};

static RegisterContextFactory redaction(CONTEXT_FACTORY(Redaction));
