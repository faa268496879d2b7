// A/B routing by cookie: the configuration is how many percent of new visitors get variant b.
//
// Let a route match the header x-variant.
#include <sstream>
#include <string>

#include "proxy_wasm_intrinsics.h"

class Plugin : public RootContext {
public:
  explicit Plugin(uint32_t id, std::string_view root_id) : RootContext(id, root_id) {}

  bool onConfigure(size_t size) override {
    std::istringstream text(getBufferBytes(WasmBufferType::PluginConfiguration, 0, size)->toString());
    return static_cast<bool>(text >> percent);
  }

  unsigned percent = 0;
};

class Routing : public Context {
public:
  explicit Routing(uint32_t id, RootContext *root) : Context(id, root), plugin_(static_cast<Plugin *>(root)) {}

  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    std::string variant;
    std::istringstream cookies(getRequestHeader("cookie")->toString());
    for (std::string cookie; std::getline(cookies >> std::ws, cookie, ';');)
      if (cookie == "ab=a" || cookie == "ab=b") variant = cookie.substr(3);
    if (variant.empty())
      variant = fresh_ = getCurrentTimeNanoseconds() / 1000 % 100 < plugin_->percent ? "b" : "a";
    replaceRequestHeader("x-variant", variant);
    return FilterHeadersStatus::Continue;
  }

  FilterHeadersStatus onResponseHeaders(uint32_t, bool) override {
    if (!fresh_.empty()) addResponseHeader("set-cookie", "ab=" + fresh_ + "; Path=/; Max-Age=2592000");
    return FilterHeadersStatus::Continue;
  }

private:
  Plugin *plugin_;
  std::string fresh_; // the variant of a new visitor
};

static RegisterContextFactory routing(CONTEXT_FACTORY(Routing), ROOT_FACTORY(Plugin));
