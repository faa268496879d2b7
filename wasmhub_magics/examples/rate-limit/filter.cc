// Rate limit by shared data: "3 3600" lets 3 requests of a key in at once, and one more every 3600 seconds.
#include <algorithm>
#include <cstdio>
#include <string>

#include "proxy_wasm_intrinsics.h"

class Plugin : public RootContext {
public:
  explicit Plugin(uint32_t id, std::string_view root_id) : RootContext(id, root_id) {}

  bool onConfigure(size_t size) override {
    std::string text = getBufferBytes(WasmBufferType::PluginConfiguration, 0, size)->toString();
    return sscanf(text.c_str(), "%lld %lld", &burst, &every) == 2 && burst > 0 && every > 0;
  }

  long long burst = 0, every = 0;
};

class RateLimit : public Context {
public:
  explicit RateLimit(uint32_t id, RootContext *root) : Context(id, root), plugin_(static_cast<Plugin *>(root)) {}

  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    std::string key = "rate-limit/" + getRequestHeader("x-api-key")->toString();
    long long now = getCurrentTimeNanoseconds() / 1000000000;
    for (;;) {
      long long left = plugin_->burst, since = now;
      uint32_t version = 0;
      WasmDataPtr value;
      if (getSharedData(key, &value, &version) == WasmResult::Ok)
        sscanf(value->toString().c_str(), "%lld %lld", &left, &since);
      if (long long more = (now - since) / plugin_->every; more > 0) {
        left = std::min(plugin_->burst, left + more);
        since += more * plugin_->every;
      }
      if (left == 0) {
        std::string wait = std::to_string(since + plugin_->every - now);
        sendLocalResponse(429, "", "too many requests\n", {{"retry-after", wait}});
        return FilterHeadersStatus::StopIteration;
      }
      if (left == plugin_->burst) since = now;
      std::string after = std::to_string(left - 1) + " " + std::to_string(since);
      if (setSharedData(key, after, version) == WasmResult::Ok) return FilterHeadersStatus::Continue;
    }
  }

private:
  Plugin *plugin_;
};

static RegisterContextFactory rate_limit(CONTEXT_FACTORY(RateLimit), ROOT_FACTORY(Plugin));
