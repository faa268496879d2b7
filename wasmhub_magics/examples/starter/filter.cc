#include <string>

#include "proxy_wasm_intrinsics.h"

class Greeter : public Context {
 public:
  explicit Greeter(uint32_t id, RootContext* root) : Context(id, root) {}

  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    std::string user = getRequestHeader("x-user")->toString();
    std::string greeting = "hello " + (user.empty() ? std::string("stranger") : user);
    replaceRequestHeader("x-greeting", greeting);
    LOG_INFO(greeting);
    return FilterHeadersStatus::Continue;
  }
};

static RegisterContextFactory register_greeter(CONTEXT_FACTORY(Greeter));
