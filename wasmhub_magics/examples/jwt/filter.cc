// JWT check. The configuration is the secret that tokens are signed with (HS256).
#include <optional>
#include <string>
#include <string_view>

#include "proxy_wasm_intrinsics.h"
#include "pw_hmac.h"
#include "pw_json.h"

class Root : public RootContext {
public:
  explicit Root(uint32_t id, std::string_view root_id) : RootContext(id, root_id) {}

  bool onConfigure(size_t size) override {
    secret = getBufferBytes(WasmBufferType::PluginConfiguration, 0, size)->toString();
    return !secret.empty();
  }

  std::string secret;
};

static std::optional<std::string> decoded(std::string_view text) {
  std::string bytes(text.size(), 0);
  ptrdiff_t size = pw_decode_base64url(text.data(), text.size(), bytes.data());
  if (size < 0) return {};
  bytes.resize(size);
  return bytes;
}

static std::string text_of(const std::string &object, const char *name) {
  std::string text(object.size(), 0);
  ptrdiff_t size = pw_json_string(pw_json_member(object.data(), object.size(), name), text.data(), text.size());
  text.resize(size > 0 ? size : 0);
  return text;
}

class Stream : public Context {
public:
  explicit Stream(uint32_t id, RootContext *root) : Context(id, root) {}

  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    removeRequestHeader("x-jwt-sub"); // only we may send this
    std::string given = getRequestHeader("authorization")->toString();
    if (!given.starts_with("Bearer ")) return refuse("no token\n");
    std::optional<std::string> claims = check(std::string_view(given).substr(7));
    if (!claims) return refuse("wrong token\n");
    int64_t expires = INT64_MAX;
    pw_json_integer(pw_json_member(claims->data(), claims->size(), "exp"), &expires);
    if (expires <= int64_t(getCurrentTimeNanoseconds() / 1000000000)) return refuse("expired token\n");
    replaceRequestHeader("x-jwt-sub", text_of(*claims, "sub"));
    return FilterHeadersStatus::Continue;
  }

private:
  FilterHeadersStatus refuse(std::string_view why) {
    sendLocalResponse(401, "", why, {{"www-authenticate", "Bearer"}});
    return FilterHeadersStatus::StopIteration;
  }

  // The claims of a token that we have signed.
  std::optional<std::string> check(std::string_view token) {
    size_t head_end = token.find('.'), end = token.rfind('.');
    if (head_end == end) return {};
    const std::string &secret = static_cast<Root *>(root())->secret;
    uint8_t good[PW_SHA256_SIZE];
    pw_hmac_sha256(secret.data(), secret.size(), token.data(), end, good);
    auto signature = decoded(token.substr(end + 1));
    if (!signature || signature->size() != sizeof good) return {};
    if (!pw_same_bytes(signature->data(), good, sizeof good)) return {};
    auto head = decoded(token.substr(0, head_end));
    if (!head || text_of(*head, "alg") != "HS256") return {};
    auto claims = decoded(token.substr(head_end + 1, end - head_end - 1));
    return claims && pw_json_is_object(claims->data(), claims->size()) ? claims : std::nullopt;
  }
};

static RegisterContextFactory jwt(CONTEXT_FACTORY(Stream), ROOT_FACTORY(Root));
