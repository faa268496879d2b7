// Asks a cluster about each request and lets it go on with the answer.
#include "proxy_wasm.h"

static uint32_t waiting;

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  static const pw_header headers[] = {{":method", "GET"}, {":path", "/check"}, {":authority", "auth"}};
  uint32_t token;
  waiting = context;
  return pw_http_call("auth", headers, 3, "", 1000, &token) == PW_OK ? PW_PAUSE : PW_CONTINUE;
}
void proxy_on_http_call_response(uint32_t root, uint32_t token, uint32_t headers, uint32_t size, uint32_t count) {
  PW_AUTO pw_text user = pw_get_header(PW_CALL_RESPONSE_HEADERS, "x-user");
  proxy_set_effective_context(waiting);
  if (user.data) proxy_add_header_map_value(PW_REQUEST_HEADERS, "x-user", 6, user.data, user.size);
  proxy_continue_stream(PW_REQUEST);
}
