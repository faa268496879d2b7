// A/B routing by cookie: the configuration is how many percent of new visitors get variant b.
//
// Let a route match the header x-variant.
#include "proxy_wasm.h"

static long long percent;

bool proxy_on_configure(uint32_t context, uint32_t size) {
  PW_AUTO pw_text text = pw_get_configuration();
  return pw_to_int(text, &percent);
}

// The variant that a cookie header names; 0 where it names none.
static char variant_of(pw_text cookies) {
  for (size_t at = 0; at + 4 <= cookies.size; at++) {
    char *here = cookies.data + at;
    bool starts = !at || here[-1] == ' ' || here[-1] == ';', ends = at + 4 == cookies.size || here[4] == ';';
    if (starts && ends && !memcmp(here, "ab=", 3) && (here[3] == 'a' || here[3] == 'b')) return here[3];
  }
  return 0;
}

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  PW_AUTO pw_text cookies = pw_get_header(PW_REQUEST_HEADERS, "cookie");
  char variant[2] = {variant_of(cookies), 0};
  if (!variant[0]) {
    variant[0] = pw_now() / 1000 % 100 < (uint64_t)percent ? 'b' : 'a';
    pw_set_property("ab-new", variant);  // kept with the stream
  }
  pw_set_header(PW_REQUEST_HEADERS, "x-variant", variant);
  return PW_CONTINUE;
}

pw_action proxy_on_response_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  PW_AUTO pw_text variant = pw_get_property("ab-new");
  if (!variant.size) return PW_CONTINUE;
  char cookie[64];
  pw_format(cookie, sizeof(cookie), "ab=%c; Path=/; Max-Age=2592000", variant.data[0]);
  pw_add_header(PW_RESPONSE_HEADERS, "set-cookie", cookie);
  return PW_CONTINUE;
}
