// Call-out authorisation: the cluster auth decides about each request.
#include "proxy_wasm.h"

// Which stream waits for which call.
static struct waiting {
  struct waiting *next;
  uint32_t token, stream;
} *waiting;

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  pw_remove_header(PW_REQUEST_HEADERS, "x-user");  // only we may send this
  char token[2048] = "", method[32] = "", path[4096] = "";
  pw_copy_header(PW_REQUEST_HEADERS, "authorization", token, sizeof(token));
  pw_copy_header(PW_REQUEST_HEADERS, ":method", method, sizeof(method));
  pw_copy_header(PW_REQUEST_HEADERS, ":path", path, sizeof(path));
  pw_header headers[] = {
    {":method", "GET"}, {":path", "/check"}, {":authority", "auth"},
    {"authorization", token}, {"x-original-method", method}, {"x-original-path", path},
  };
  struct waiting *one = malloc(sizeof(*one));
  if (!one || pw_http_call("auth", headers, 6, "", 500, &one->token) != PW_OK) {
    free(one);
    pw_respond(503, "authorisation is out of order\n");
    return PW_PAUSE;
  }
  one->stream = context;
  one->next = waiting;
  waiting = one;
  return PW_PAUSE;
}

void proxy_on_http_call_response(uint32_t context, uint32_t token, uint32_t headers, uint32_t size, uint32_t trailers) {
  struct waiting **at = &waiting;
  while (*at && (*at)->token != token) at = &(*at)->next;
  if (!*at) return;  // the stream has ended
  proxy_set_effective_context((*at)->stream);
  PW_AUTO pw_text status = pw_get_header(PW_CALL_RESPONSE_HEADERS, ":status");
  if (pw_equal(status, "200")) {
    PW_AUTO pw_text user = pw_get_header(PW_CALL_RESPONSE_HEADERS, "x-user");
    pw_set_header_text(PW_REQUEST_HEADERS, "x-user", user);
    proxy_continue_stream(PW_REQUEST);
  } else if (pw_equal(status, "401") || pw_equal(status, "403")) {
    pw_respond(pw_equal(status, "401") ? 401 : 403, "forbidden\n");
  } else {
    pw_respond(503, "authorisation is out of order\n");
  }
}

void proxy_on_delete(uint32_t context) {
  for (struct waiting **at = &waiting; *at;) {
    struct waiting *one = *at;
    if (one->stream != context) {
      at = &one->next;
      continue;
    }
    *at = one->next;
    free(one);
  }
}
