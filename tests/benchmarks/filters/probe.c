// Reads four header values and adds five headers: what a simple filter does to each request.
#include "proxy_wasm.h"

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  for (int i = 0; i < 4; i++) {
    PW_AUTO pw_text path = pw_get_header(PW_REQUEST_HEADERS, ":path");
    if (path.data) proxy_add_header_map_value(PW_REQUEST_HEADERS, "x-path", 6, path.data, path.size);
  }
  pw_add_header(PW_REQUEST_HEADERS, "hello", "world");
  return PW_CONTINUE;
}
