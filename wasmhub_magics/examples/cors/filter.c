// CORS: the configuration lists the origins whose pages may read responses, separated by spaces.
#include "proxy_wasm.h"

static pw_text origins;

bool proxy_on_configure(uint32_t context, uint32_t size) {
  pw_free(&origins);
  origins = pw_get_configuration();
  return true;
}

static bool allowed(pw_text origin) {
  for (size_t at = 0; origin.size && at + origin.size <= origins.size; at++) {
    bool starts = !at || origins.data[at - 1] == ' ';
    bool ends = at + origin.size == origins.size || origins.data[at + origin.size] == ' ';
    if (starts && ends && !memcmp(origins.data + at, origin.data, origin.size)) return true;
  }
  return false;
}

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  PW_AUTO pw_text origin = pw_get_header(PW_REQUEST_HEADERS, "origin");
  if (allowed(origin)) pw_set_property_text("cors-origin", origin);  // kept with the stream
  if (!pw_header_is(PW_REQUEST_HEADERS, ":method", "OPTIONS")) return PW_CONTINUE;
  if (!pw_has_header(PW_REQUEST_HEADERS, "access-control-request-method")) return PW_CONTINUE;
  if (!allowed(origin)) {
    pw_respond(403, "this origin is not allowed\n");
    return PW_PAUSE;
  }
  char wanted[512] = "content-type";
  pw_copy_header(PW_REQUEST_HEADERS, "access-control-request-headers", wanted, sizeof(wanted));
  pw_header headers[] = {
    {"access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE"},
    {"access-control-allow-headers", wanted},
    {"access-control-max-age", "600"},
  };
  pw_respond_with(204, "", headers, 3);
  return PW_PAUSE;
}

// An answer of our own comes by here, too.
pw_action proxy_on_response_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  pw_remove_header(PW_RESPONSE_HEADERS, "access-control-allow-origin");
  PW_AUTO pw_text origin = pw_get_property("cors-origin");
  if (!origin.size) return PW_CONTINUE;
  pw_set_header_text(PW_RESPONSE_HEADERS, "access-control-allow-origin", origin);
  pw_add_header(PW_RESPONSE_HEADERS, "vary", "origin");
  return PW_CONTINUE;
}
