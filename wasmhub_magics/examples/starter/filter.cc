#include "proxy_wasm_intrinsics.h"

class Greeter : public Context {
public:
  explicit Greeter(uint32_t id, RootContext *root) : Context(id, root) {}

  FilterHeadersStatus onRequestHeaders(uint32_t headers, bool end_of_stream) override {
    auto given = getRequestHeader("x-user");
    std::string user = given->size() ? given->toString() : "stranger";
    replaceRequestHeader("x-greeting", "hello " + user);
    logInfo("greeted " + user);
    return FilterHeadersStatus::Continue;
  }
};

static RegisterContextFactory greeter(CONTEXT_FACTORY(Greeter));
