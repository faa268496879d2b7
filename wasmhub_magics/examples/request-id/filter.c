// Request id: keep a well-formed x-correlation-id, else make one; the client learns it, too.
#include "proxy_wasm.h"

__attribute__((import_module("wasi_snapshot_preview1"), import_name("random_get")))
int random_get(void *bytes, size_t size);

static bool well_formed(pw_text text) {
  if (text.size < 8 || text.size > 64) return false;
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i], lower = c | 32;
    if (c != '-' && !(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'z')) return false;
  }
  return true;
}

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  PW_AUTO pw_text given = pw_get_header(PW_REQUEST_HEADERS, "x-correlation-id");
  char made[33];
  if (!well_formed(given)) {
    unsigned int word[4];
    random_get(word, sizeof(word));
    pw_format(made, sizeof(made), "%08x%08x%08x%08x", word[0], word[1], word[2], word[3]);
    pw_set_header(PW_REQUEST_HEADERS, "x-correlation-id", made);
  }
  pw_set_property_text("correlation", well_formed(given) ? given : (pw_text){made, 32});  // kept with the stream
  return PW_CONTINUE;
}

pw_action proxy_on_response_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  PW_AUTO pw_text id = pw_get_property("correlation");
  pw_set_header_text(PW_RESPONSE_HEADERS, "x-correlation-id", id);
  return PW_CONTINUE;
}
