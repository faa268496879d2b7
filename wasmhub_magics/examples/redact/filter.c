// Body redaction: of 16 digits in a row the last four stay.
#include "proxy_wasm.h"

pw_action proxy_on_response_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  PW_AUTO pw_text kind = pw_get_header(PW_RESPONSE_HEADERS, "content-type");
  bool readable = pw_starts_with(kind, "application/json") || pw_starts_with(kind, "text/");
  pw_set_property("redact", readable ? "yes" : "no");  // kept with the stream
  return PW_CONTINUE;
}

pw_action proxy_on_response_body(uint32_t context, uint32_t size, bool end_of_stream) {
  PW_AUTO pw_text readable = pw_get_property("redact");
  if (!pw_equal(readable, "yes")) return PW_CONTINUE;
  if (!end_of_stream) return PW_PAUSE;  // until all of the body is here
  PW_AUTO pw_text body = pw_get_bytes(PW_RESPONSE_BODY, 0, size);
  for (size_t at = 0, run = 0; at <= body.size; at++) {
    if (at < body.size && body.data[at] >= '0' && body.data[at] <= '9') {
      run++;
      continue;
    }
    if (run == 16) memset(body.data + at - 16, '*', 12);
    run = 0;
  }
  pw_set_body(PW_RESPONSE_BODY, body.data, body.size);  // as long as before, so content-length stays right
  return PW_CONTINUE;
}
