// Redirect to the canonical host, which is the configuration.
#include "proxy_wasm.h"

static pw_text host;

bool proxy_on_configure(uint32_t context, uint32_t size) {
  pw_free(&host);
  host = pw_get_configuration();
  return host.size > 0;
}

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  PW_AUTO pw_text authority = pw_get_header(PW_REQUEST_HEADERS, ":authority");
  PW_AUTO pw_text path = pw_get_header(PW_REQUEST_HEADERS, ":path");
  if (authority.size == host.size && !memcmp(authority.data, host.data, host.size)) return PW_CONTINUE;
  if (pw_starts_with(path, "/.well-known/")) return PW_CONTINUE;
  size_t size = host.size + path.size + sizeof("https://");
  char *location = malloc(size);
  if (!location) return PW_CONTINUE;
  pw_format(location, size, "https://%.*s%.*s", (int)host.size, host.data, (int)path.size, path.data);
  pw_header headers[] = {{"location", location}};
  pw_respond_with(301, "", headers, 1);
  free(location);
  return PW_PAUSE;
}
