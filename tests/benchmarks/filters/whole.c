// What probe.c does, with every callback of an HTTP filter there: some hosts call them all.
#include "proxy_wasm.h"

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  for (int i = 0; i < 4; i++) {
    PW_AUTO pw_text path = pw_get_header(PW_REQUEST_HEADERS, ":path");
    if (path.data) proxy_add_header_map_value(PW_REQUEST_HEADERS, "x-path", 6, path.data, path.size);
  }
  pw_add_header(PW_REQUEST_HEADERS, "hello", "world");
  return PW_CONTINUE;
}
void proxy_on_context_create(uint32_t context, uint32_t parent) {}
bool proxy_on_vm_start(uint32_t context, uint32_t size) { return true; }
bool proxy_on_configure(uint32_t context, uint32_t size) { return true; }
bool proxy_on_done(uint32_t context) { return true; }
void proxy_on_log(uint32_t context) {}
void proxy_on_tick(uint32_t context) {}
void proxy_on_queue_ready(uint32_t context, uint32_t token) {}
pw_action proxy_on_request_body(uint32_t context, uint32_t size, bool end) { return PW_CONTINUE; }
pw_action proxy_on_request_trailers(uint32_t context, uint32_t count) { return PW_CONTINUE; }
pw_action proxy_on_response_headers(uint32_t context, uint32_t count, bool end) { return PW_CONTINUE; }
pw_action proxy_on_response_body(uint32_t context, uint32_t size, bool end) { return PW_CONTINUE; }
pw_action proxy_on_response_trailers(uint32_t context, uint32_t count) { return PW_CONTINUE; }
void proxy_on_http_call_response(uint32_t root, uint32_t token, uint32_t headers, uint32_t size, uint32_t count) {}
