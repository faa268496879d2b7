// HMAC-SHA256 (RFC 2104, FIPS 180-4) and base64url (RFC 4648), for signed tokens; for C and C++.
#ifndef PW_HMAC_H
#define PW_HMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PW_SHA256_SIZE 32

typedef struct pw_sha256 {
  uint32_t state[8];
  uint64_t size;
  uint8_t block[64];
} pw_sha256;

static inline uint32_t pw_rotated_(uint32_t word, int by) { return word >> by | word << (32 - by); }

static inline void pw_sha256_block_(pw_sha256 *hash) {
  static const uint32_t keys[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
  };
  uint32_t words[64], now[8];
  for (int i = 0; i < 16; i++) {
    const uint8_t *at = hash->block + 4 * i;
    words[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
  }
  for (int i = 16; i < 64; i++) {
    uint32_t a = words[i - 15], b = words[i - 2];
    words[i] = words[i - 16] + (pw_rotated_(a, 7) ^ pw_rotated_(a, 18) ^ a >> 3) + words[i - 7] +
               (pw_rotated_(b, 17) ^ pw_rotated_(b, 19) ^ b >> 10);
  }
  __builtin_memcpy(now, hash->state, sizeof now);
  for (int i = 0; i < 64; i++) {
    uint32_t a = now[0], e = now[4];
    uint32_t chosen = (e & now[5]) ^ (~e & now[6]), most = (a & now[1]) ^ (a & now[2]) ^ (now[1] & now[2]);
    uint32_t one = now[7] + (pw_rotated_(e, 6) ^ pw_rotated_(e, 11) ^ pw_rotated_(e, 25)) + chosen + keys[i] + words[i];
    uint32_t two = (pw_rotated_(a, 2) ^ pw_rotated_(a, 13) ^ pw_rotated_(a, 22)) + most;
    for (int j = 7; j; j--) now[j] = now[j - 1];
    now[4] += one;
    now[0] = one + two;
  }
  for (int i = 0; i < 8; i++) hash->state[i] += now[i];
}

static inline void pw_sha256_start(pw_sha256 *hash) {
  static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  __builtin_memcpy(hash->state, first, sizeof first);
  hash->size = 0;
}

static inline void pw_sha256_add(pw_sha256 *hash, const void *data, size_t size) {
  const uint8_t *at = (const uint8_t *)data;
  for (; size; size--) {
    hash->block[hash->size++ % 64] = *at++;
    if (hash->size % 64 == 0) pw_sha256_block_(hash);
  }
}

static inline void pw_sha256_end(pw_sha256 *hash, uint8_t digest[PW_SHA256_SIZE]) {
  uint64_t bits = hash->size * 8;
  uint8_t byte = 0x80;
  do {
    pw_sha256_add(hash, &byte, 1);
    byte = 0;
  } while (hash->size % 64 != 56);
  for (int i = 56; i >= 0; i -= 8) {
    byte = (uint8_t)(bits >> i);
    pw_sha256_add(hash, &byte, 1);
  }
  for (int i = 0; i < PW_SHA256_SIZE; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - i % 4 * 8));
}

// The signature of data under a key.
static inline void pw_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                                  uint8_t signature[PW_SHA256_SIZE]) {
  uint8_t pad[64] = {0};
  pw_sha256 hash;
  pw_sha256_start(&hash);
  if (key_size > sizeof pad) {
    pw_sha256_add(&hash, key, key_size);
    pw_sha256_end(&hash, pad);
    pw_sha256_start(&hash);
  } else if (key_size) {
    __builtin_memcpy(pad, key, key_size);
  }
  for (size_t i = 0; i < sizeof pad; i++) pad[i] ^= 0x36;
  pw_sha256_add(&hash, pad, sizeof pad);
  pw_sha256_add(&hash, data, size);
  pw_sha256_end(&hash, signature);
  for (size_t i = 0; i < sizeof pad; i++) pad[i] ^= 0x36 ^ 0x5c;
  pw_sha256_start(&hash);
  pw_sha256_add(&hash, pad, sizeof pad);
  pw_sha256_add(&hash, signature, PW_SHA256_SIZE);
  pw_sha256_end(&hash, signature);
}

// Whether bytes are the same, in a time that does not tell how far they agree.
static inline bool pw_same_bytes(const void *one, const void *other, size_t size) {
  const volatile uint8_t *a = (const volatile uint8_t *)one, *b = (const volatile uint8_t *)other;
  uint8_t differ = 0;
  for (size_t i = 0; i < size; i++) differ |= a[i] ^ b[i];
  return !differ;
}

// Decode base64url without padding; out may be the text itself. The number of bytes, or -1 for what is none.
static inline ptrdiff_t pw_decode_base64url(const char *text, size_t size, void *out) {
  uint8_t *to = (uint8_t *)out;
  uint32_t kept = 0;
  int bits = 0;
  for (size_t i = 0; i < size; i++) {
    char c = text[i];
    int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                : c >= 'a' && c <= 'z' ? c - 'a' + 26
                : c >= '0' && c <= '9' ? c - '0' + 52
                : c == '-'             ? 62
                : c == '_'             ? 63
                                       : -1;
    if (value < 0) return -1;
    kept = kept << 6 | (uint32_t)value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    *to++ = (uint8_t)(kept >> bits);
  }
  return size % 4 == 1 ? -1 : to - (uint8_t *)out;
}

#endif // PW_HMAC_H
