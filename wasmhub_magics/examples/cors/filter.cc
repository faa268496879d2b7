// CORS: the configuration lists the origins whose pages may read responses, separated by spaces.
#include <set>
#include <sstream>
#include <string>

#include "proxy_wasm_intrinsics.h"

class Plugin : public RootContext {
public:
  explicit Plugin(uint32_t id, std::string_view root_id) : RootContext(id, root_id) {}

  bool onConfigure(size_t size) override {
    std::istringstream words(getBufferBytes(WasmBufferType::PluginConfiguration, 0, size)->toString());
    for (std::string word; words >> word;) origins.insert(word);
    return true;
  }

  std::set<std::string> origins;
};

class Cors : public Context {
public:
  explicit Cors(uint32_t id, RootContext *root) : Context(id, root), plugin_(static_cast<Plugin *>(root)) {}

  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    std::string origin = getRequestHeader("origin")->toString();
    if (plugin_->origins.contains(origin)) origin_ = origin;
    bool preflight = getRequestHeader("access-control-request-method")->size() > 0;
    if (!preflight || getRequestHeader(":method")->view() != "OPTIONS") return FilterHeadersStatus::Continue;
    if (origin_.empty()) {
      sendLocalResponse(403, "", "this origin is not allowed\n", {});
      return FilterHeadersStatus::StopIteration;
    }
    std::string wanted = getRequestHeader("access-control-request-headers")->toString();
    sendLocalResponse(204, "", "", {
      {"access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE"},
      {"access-control-allow-headers", wanted.empty() ? "content-type" : wanted},
      {"access-control-max-age", "600"},
    });
    return FilterHeadersStatus::StopIteration;
  }

  // An answer of our own comes by here, too.
  FilterHeadersStatus onResponseHeaders(uint32_t, bool) override {
    removeResponseHeader("access-control-allow-origin");
    if (!origin_.empty()) {
      replaceResponseHeader("access-control-allow-origin", origin_);
      addResponseHeader("vary", "origin");
    }
    return FilterHeadersStatus::Continue;
  }

private:
  Plugin *plugin_;
  std::string origin_; // of the request, where it is allowed
};

static RegisterContextFactory cors(CONTEXT_FACTORY(Cors), ROOT_FACTORY(Plugin));
