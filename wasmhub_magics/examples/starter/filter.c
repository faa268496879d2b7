#include "proxy_wasm.h"

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  char user[64] = "stranger", greeting[80];
  pw_copy_header(PW_REQUEST_HEADERS, "x-user", user, sizeof(user));
  pw_format(greeting, sizeof(greeting), "hello %s", user[0] ? user : "stranger");
  pw_set_header(PW_REQUEST_HEADERS, "x-greeting", greeting);
  pw_log_info("%s", greeting);
  return PW_CONTINUE;
}
