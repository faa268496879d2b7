// Add and rewrite headers.
#include "proxy_wasm_intrinsics.h"

class Headers : public Context {
public:
  explicit Headers(uint32_t id, RootContext *root) : Context(id, root) {}

  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    replaceRequestHeader("x-env", "prod");    // whatever the client says
    removeRequestHeader("x-internal-token");  // only we may send this
    std::string path = getRequestHeader(":path")->toString();
    if (path.starts_with("/api/")) replaceRequestHeader(":path", "/v1/" + path.substr(5));
    return FilterHeadersStatus::Continue;
  }

  FilterHeadersStatus onResponseHeaders(uint32_t, bool) override {
    removeResponseHeader("x-powered-by");
    replaceResponseHeader("strict-transport-security", "max-age=63072000");
    replaceResponseHeader("x-content-type-options", "nosniff");
    return FilterHeadersStatus::Continue;
  }
};

static RegisterContextFactory headers(CONTEXT_FACTORY(Headers));
