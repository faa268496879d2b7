// One member of a JSON object (RFC 8259), found without memory of its own; for C and C++.
#ifndef PW_JSON_H
#define PW_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PW_JSON_DEPTH 64 // what nests deeper is refused

// A value as it is written: a string with its quotes and escapes. data is NULL where there is none.
typedef struct pw_json {
  const char *data;
  size_t size;
} pw_json;

static inline const char *pw_json_space_(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
  return at;
}

// Whether a text begins with a word.
static inline bool pw_json_is_(const char *at, const char *end, const char *word) {
  while (at < end && *word && *at == *word) at++, word++;
  return !*word;
}

static inline int pw_json_hex_(const char *at, const char *end) {
  int value = 0;
  if (end - at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    char c = at[i];
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// Past a string that begins here; NULL where it is none.
static inline const char *pw_json_past_string_(const char *at, const char *end) {
  if (at >= end || *at != '"') return NULL;
  for (at++; at < end; at++) {
    if (*at == '"') return at + 1;
    if ((unsigned char)*at < 0x20) return NULL;
    if (*at != '\\') continue;
    if (++at == end) return NULL;
    if (*at == 'u' && pw_json_hex_(at + 1, end) < 0) return NULL;
    const char *known = "\"\\/bfnrtu";
    while (*known && *known != *at) known++;
    if (!*known) return NULL;
  }
  return NULL;
}

// Past digits, of which there is one at least.
static inline const char *pw_json_past_digits_(const char *at, const char *end) {
  const char *start = at;
  while (at < end && *at >= '0' && *at <= '9') at++;
  return at == start ? NULL : at;
}

static inline const char *pw_json_past_number_(const char *at, const char *end) {
  if (at < end && *at == '-') at++;
  if (at < end && *at == '0') at++;
  else if (!(at = pw_json_past_digits_(at, end))) return NULL;
  if (at < end && *at == '.' && !(at = pw_json_past_digits_(at + 1, end))) return NULL;
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    at = pw_json_past_digits_(at, end);
  }
  return at;
}

// Past a value that begins here; NULL where it is none.
static inline const char *pw_json_past_(const char *at, const char *end) {
  char open[PW_JSON_DEPTH];
  int depth = 0;
  for (;;) {
    at = pw_json_space_(at, end);
    if (at == end) return NULL;
    if (*at == '{' || *at == '[') {
      if (depth == PW_JSON_DEPTH) return NULL;
      char close = *at == '{' ? '}' : ']';
      open[depth++] = close;
      at = pw_json_space_(at + 1, end);
      if (at < end && *at == close) {
        depth--;
        at++;
      } else if (close == ']') {
        continue;
      } else {
        goto name;
      }
    } else if (*at == '"') {
      if (!(at = pw_json_past_string_(at, end))) return NULL;
    } else if (pw_json_is_(at, end, "true") || pw_json_is_(at, end, "null")) {
      at += 4;
    } else if (pw_json_is_(at, end, "false")) {
      at += 5;
    } else if (!(at = pw_json_past_number_(at, end))) {
      return NULL;
    }
    for (;;) { // after a value
      if (!depth) return at;
      at = pw_json_space_(at, end);
      if (at == end) return NULL;
      if (*at == open[depth - 1]) {
        depth--;
        at++;
        continue;
      }
      if (*at++ != ',') return NULL;
      break;
    }
    if (open[depth - 1] == ']') continue;
  name:
    at = pw_json_past_string_(pw_json_space_(at, end), end);
    if (!at) return NULL;
    at = pw_json_space_(at, end);
    if (at == end || *at++ != ':') return NULL;
  }
}

// Write what a string says as UTF-8. The number of bytes, or -1 for what is no string or does not fit.
static inline ptrdiff_t pw_json_string(pw_json value, char *out, size_t limit) {
  if (!value.size || *value.data != '"') return -1;
  const char *at = value.data + 1, *end = value.data + value.size - 1;
  size_t size = 0;
  while (at < end) {
    uint32_t point = (unsigned char)*at++;
    bool plain = point != '\\';
    if (!plain) {
      char escape = *at++;
      point = escape == 'b' ? '\b' : escape == 'f' ? '\f' : escape == 'n' ? '\n' : escape == 'r' ? '\r' : escape == 't' ? '\t' : (unsigned char)escape;
      if (escape == 'u') {
        point = (uint32_t)pw_json_hex_(at, end);
        at += 4;
        if (point >= 0xd800 && point < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
          uint32_t low = (uint32_t)pw_json_hex_(at + 2, end);
          if (low >= 0xdc00 && low < 0xe000) {
            point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
            at += 6;
          }
        }
        if (point >= 0xd800 && point < 0xe000) point = 0xfffd; // half of a pair
      }
    }
    char bytes[4];
    size_t count = 1;
    if (plain || point < 0x80) {
      bytes[0] = (char)point;
    } else if (point < 0x800) {
      bytes[0] = (char)(0xc0 | point >> 6);
      count = 2;
    } else if (point < 0x10000) {
      bytes[0] = (char)(0xe0 | point >> 12);
      count = 3;
    } else {
      bytes[0] = (char)(0xf0 | point >> 18);
      count = 4;
    }
    for (size_t i = 1; i < count; i++) bytes[i] = (char)(0x80 | (point >> 6 * (count - 1 - i) & 0x3f));
    if (size + count > limit) return -1;
    for (size_t i = 0; i < count; i++) out[size++] = bytes[i];
  }
  return (ptrdiff_t)size;
}

// Whether a text is one object and nothing else.
static inline bool pw_json_is_object(const char *text, size_t size) {
  const char *end = text + size, *at = pw_json_space_(text, end), *past = pw_json_past_(at, end);
  return past && *at == '{' && pw_json_space_(past, end) == end;
}

// The member of that name, compared as it is written, and the last where there are several; data is NULL where the text is no object or has none.
static inline pw_json pw_json_member(const char *text, size_t size, const char *name) {
  pw_json found = {NULL, 0};
  if (!pw_json_is_object(text, size)) return found;
  const char *end = text + size, *at = pw_json_space_(text, end);
  for (at = pw_json_space_(at + 1, end); *at != '}'; at = pw_json_space_(at, end)) {
    if (*at == ',') at = pw_json_space_(at + 1, end);
    const char *key = at;
    at = pw_json_past_string_(at, end);
    size_t length = 0;
    while (name[length] && key + 1 + length < at - 1 && key[1 + length] == name[length]) length++;
    bool same = !name[length] && key + 2 + length == at;
    at = pw_json_space_(pw_json_space_(at, end) + 1, end);
    const char *value = at;
    at = pw_json_past_(at, end);
    if (!same) continue;
    found.data = value;
    found.size = (size_t)(at - value);
  }
  return found;
}

// A number without its fraction; false for what is no number, has an exponent, or is too large.
static inline bool pw_json_integer(pw_json value, int64_t *number) {
  const char *at = value.data, *end = at + value.size;
  if (!value.size || (*at != '-' && (*at < '0' || *at > '9'))) return false;
  bool negative = *at == '-';
  uint64_t sum = 0;
  for (at += negative; at < end && *at >= '0' && *at <= '9'; at++) {
    if (sum > (UINT64_C(0x7fffffffffffffff) - (uint64_t)(*at - '0')) / 10) return false;
    sum = sum * 10 + (uint64_t)(*at - '0');
  }
  for (; at < end; at++)
    if (*at == 'e' || *at == 'E') return false;
  *number = negative ? -(int64_t)sum : (int64_t)sum;
  return true;
}

#endif // PW_JSON_H
