// IP and path allow list: "/health 10.0.0.0/8 192.168.1.7".
//
// x-forwarded-for counts, so let nobody but your own load balancer reach this proxy, or leave it out.
#include "proxy_wasm.h"

static pw_text words;

// The next word of a text, which is cut off; empty at the end.
static pw_text next_word(pw_text *text) {
  while (text->size && *text->data == ' ') text->data++, text->size--;
  pw_text word = {text->data, 0};
  while (text->size && *text->data != ' ') text->data++, text->size--, word.size++;
  return word;
}

// An IPv4 address as a number, and with `bits` also a range; false where it is none.
static bool read_address(pw_text text, uint32_t *number, uint32_t *bits) {
  uint32_t parts[5] = {0, 0, 0, 0, 32}, part = 0, digits = 0;
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (c >= '0' && c <= '9') {
      parts[part] = digits++ ? parts[part] * 10 + (c - '0') : (uint32_t)(c - '0');
      if (parts[part] > 255) return false;
    } else if (digits && ((c == '.' && part < 3) || (c == '/' && part == 3 && bits))) {
      part++, digits = 0;
    } else {
      return false;
    }
  }
  if (part < 3 || !digits || parts[4] > 32) return false;
  *number = parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3];
  if (bits) *bits = parts[4];
  return true;
}

bool proxy_on_configure(uint32_t context, uint32_t size) {
  pw_free(&words);
  words = pw_get_configuration();
  uint32_t number, bits;
  pw_text rest = words;
  for (pw_text word = next_word(&rest); word.size; word = next_word(&rest))
    if (!pw_starts_with(word, "/") && !read_address(word, &number, &bits)) return false;
  return true;
}

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  PW_AUTO pw_text path = pw_get_header(PW_REQUEST_HEADERS, ":path");
  PW_AUTO pw_text forwarded = pw_get_header(PW_REQUEST_HEADERS, "x-forwarded-for");
  PW_AUTO pw_text peer = pw_get_property("source.address");
  char *query = memchr(path.data, '?', path.size), *port = memchr(peer.data, ':', peer.size);
  pw_text page = {path.data, query ? (size_t)(query - path.data) : path.size};
  pw_text client = {peer.data, port ? (size_t)(port - peer.data) : peer.size};
  if (forwarded.size) { // the last of "client, proxy, proxy"
    client = forwarded;
    for (size_t i = 0; i < forwarded.size; i++)
      if (forwarded.data[i] == ',') client = (pw_text){forwarded.data + i + 1, forwarded.size - i - 1};
    client = next_word(&client);
  }
  uint32_t address, range, bits;
  bool known = read_address(client, &address, NULL);
  pw_text rest = words;
  for (pw_text word = next_word(&rest); word.size; word = next_word(&rest)) {
    if (word.data[0] == '/' && word.size == page.size && !memcmp(word.data, page.data, page.size)) return PW_CONTINUE;
    if (known && read_address(word, &range, &bits) && (!bits || (address ^ range) >> (32 - bits) == 0)) return PW_CONTINUE;
  }
  pw_respond(403, "forbidden\n");
  return PW_PAUSE;
}
