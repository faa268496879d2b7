// Rate limit by shared data: "3 3600" lets 3 requests of a key in at once, and one more every 3600 seconds.
#include "proxy_wasm.h"

static long long burst, every;

// "3 3600" as two numbers.
static bool two_numbers(pw_text text, long long *one, long long *two) {
  char *space = text.data ? memchr(text.data, ' ', text.size) : NULL;
  if (!space) return false;
  size_t size = (size_t)(space - text.data);
  return pw_to_int((pw_text){text.data, size}, one) && pw_to_int((pw_text){space + 1, text.size - size - 1}, two);
}

bool proxy_on_configure(uint32_t context, uint32_t size) {
  PW_AUTO pw_text text = pw_get_configuration();
  return two_numbers(text, &burst, &every) && burst > 0 && every > 0;
}

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  PW_AUTO pw_text client = pw_get_header(PW_REQUEST_HEADERS, "x-api-key");
  char key[128], number[48];
  size_t key_size = pw_format(key, sizeof(key), "rate-limit/%.*s", (int)client.size, client.data ? client.data : "");
  if (key_size >= sizeof(key)) key_size = sizeof(key) - 1;
  long long now = (long long)(pw_now() / 1000000000), left, since;
  for (;;) {
    PW_AUTO pw_text value = {NULL, 0};
    uint32_t version = 0;
    if (proxy_get_shared_data(key, key_size, &value.data, &value.size, &version) || !two_numbers(value, &left, &since))
      left = burst, since = now;
    long long more = (now - since) / every;
    if (more > 0) {
      left = left + more < burst ? left + more : burst;
      since += more * every;
    }
    if (left == 0) {
      pw_format(number, sizeof(number), "%lld", since + every - now);
      pw_header headers[] = {{"retry-after", number}};
      pw_respond_with(429, "too many requests\n", headers, 1);
      return PW_PAUSE;
    }
    if (left == burst) since = now;
    size_t written = pw_format(number, sizeof(number), "%lld %lld", left - 1, since);
    if (proxy_set_shared_data(key, key_size, number, written, version) == PW_OK) return PW_CONTINUE;
  }
}
