// Redirect to the canonical host, which is the configuration.
#include <string>

#include "proxy_wasm_intrinsics.h"

class Plugin : public RootContext {
public:
  explicit Plugin(uint32_t id, std::string_view root_id) : RootContext(id, root_id) {}

  bool onConfigure(size_t size) override {
    host = getBufferBytes(WasmBufferType::PluginConfiguration, 0, size)->toString();
    return !host.empty();
  }

  std::string host;
};

class Redirect : public Context {
public:
  explicit Redirect(uint32_t id, RootContext *root) : Context(id, root), plugin_(static_cast<Plugin *>(root)) {}

  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    std::string path = getRequestHeader(":path")->toString();
    if (getRequestHeader(":authority")->view() == plugin_->host || path.starts_with("/.well-known/"))
      return FilterHeadersStatus::Continue;
    sendLocalResponse(301, "", "", {{"location", "https://" + plugin_->host + path}});
    return FilterHeadersStatus::StopIteration;
  }

private:
  Plugin *plugin_;
};

static RegisterContextFactory redirect(CONTEXT_FACTORY(Redirect), ROOT_FACTORY(Plugin));
