// JWT check. The configuration is the secret that tokens are signed with (HS256).
#include "proxy_wasm.h"
#include "pw_hmac.h"
#include "pw_json.h"

static pw_text secret;

bool proxy_on_configure(uint32_t context, uint32_t configuration_size) {
  pw_free(&secret);
  secret = pw_get_configuration();
  return secret.size > 0;
}

static pw_action refuse(const char *why) {
  pw_header headers[] = {{"www-authenticate", "Bearer"}};
  pw_respond_with(401, why, headers, 1);
  return PW_PAUSE;
}

// The claims of a token that we have signed; they take the place of its text.
static bool check(char *token, size_t size, pw_text *claims) {
  char *end = token + size, *head = memchr(token, '.', size);
  char *last = head ? memchr(head + 1, '.', (size_t)(end - head - 1)) : NULL;
  if (!last) return false;
  uint8_t good[PW_SHA256_SIZE];
  pw_hmac_sha256(secret.data, secret.size, token, (size_t)(last - token), good);
  if (pw_decode_base64url(last + 1, (size_t)(end - last - 1), last + 1) != PW_SHA256_SIZE) return false;
  if (!pw_same_bytes(last + 1, good, sizeof good)) return false;
  ptrdiff_t head_size = pw_decode_base64url(token, (size_t)(head - token), token);
  ptrdiff_t claims_size = pw_decode_base64url(head + 1, (size_t)(last - head - 1), head + 1);
  if (head_size < 0 || claims_size < 0 || !pw_json_is_object(head + 1, (size_t)claims_size)) return false;
  char kind[8];
  ptrdiff_t length = pw_json_string(pw_json_member(token, (size_t)head_size, "alg"), kind, sizeof kind);
  *claims = (pw_text){head + 1, (size_t)claims_size};
  return length > 0 && pw_equal((pw_text){kind, (size_t)length}, "HS256");
}

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  pw_remove_header(PW_REQUEST_HEADERS, "x-jwt-sub");  // only we may send this
  PW_AUTO pw_text given = pw_get_header(PW_REQUEST_HEADERS, "authorization");
  if (!pw_starts_with(given, "Bearer ")) return refuse("no token\n");
  pw_text claims;
  if (!check(given.data + 7, given.size - 7, &claims)) return refuse("wrong token\n");
  int64_t expires = INT64_MAX;
  pw_json_integer(pw_json_member(claims.data, claims.size, "exp"), &expires);
  if (expires <= (int64_t)(pw_now() / 1000000000)) return refuse("expired token\n");
  char subject[256];
  ptrdiff_t size = pw_json_string(pw_json_member(claims.data, claims.size, "sub"), subject, sizeof subject);
  pw_set_header_text(PW_REQUEST_HEADERS, "x-jwt-sub", (pw_text){subject, size > 0 ? (size_t)size : 0});
  return PW_CONTINUE;
}
