// Add and rewrite headers.
#include "proxy_wasm.h"

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  pw_set_header(PW_REQUEST_HEADERS, "x-env", "prod");        // whatever the client says
  pw_remove_header(PW_REQUEST_HEADERS, "x-internal-token");  // only we may send this
  PW_AUTO pw_text path = pw_get_header(PW_REQUEST_HEADERS, ":path");
  if (pw_starts_with(path, "/api/")) {
    pw_text rest = {path.data + 1, path.size - 1};  // "/v1/" is one shorter than "/api/"
    memcpy(rest.data, "/v1/", 4);
    pw_set_header_text(PW_REQUEST_HEADERS, ":path", rest);
  }
  return PW_CONTINUE;
}

pw_action proxy_on_response_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  pw_remove_header(PW_RESPONSE_HEADERS, "x-powered-by");
  pw_set_header(PW_RESPONSE_HEADERS, "strict-transport-security", "max-age=63072000");
  pw_set_header(PW_RESPONSE_HEADERS, "x-content-type-options", "nosniff");
  return PW_CONTINUE;
}
