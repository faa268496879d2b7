// Looks at how long a body is and at nothing else.
#include "proxy_wasm.h"

pw_action proxy_on_request_body(uint32_t context, uint32_t size, bool end_of_stream) {
  size_t length = 0;
  uint32_t flags = 0;
  proxy_get_buffer_status(PW_REQUEST_BODY, &length, &flags);
  return length == size ? PW_CONTINUE : PW_PAUSE;
}
