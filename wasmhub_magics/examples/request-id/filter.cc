// Request id: keep a well-formed x-correlation-id, else make one; the client learns it, too.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <string>

#include <unistd.h>

#include "proxy_wasm_intrinsics.h"

class RequestId : public Context {
public:
  explicit RequestId(uint32_t id, RootContext *root) : Context(id, root) {}

  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    id_ = getRequestHeader("x-correlation-id")->toString();
    if (well_formed(id_)) return FilterHeadersStatus::Continue;
    unsigned word[4];
    char text[33];
    getentropy(word, sizeof(word));
    snprintf(text, sizeof(text), "%08x%08x%08x%08x", word[0], word[1], word[2], word[3]);
    id_ = text;
    replaceRequestHeader("x-correlation-id", id_);
    return FilterHeadersStatus::Continue;
  }

  FilterHeadersStatus onResponseHeaders(uint32_t, bool) override {
    replaceResponseHeader("x-correlation-id", id_);
    return FilterHeadersStatus::Continue;
  }

private:
  static bool well_formed(const std::string &text) {
    auto good = [](unsigned char each) { return each == '-' || (each < 128 && isalnum(each)); };
    return text.size() >= 8 && text.size() <= 64 && std::all_of(text.begin(), text.end(), good);
  }

  std::string id_;
};

static RegisterContextFactory request_id(CONTEXT_FACTORY(RequestId));
