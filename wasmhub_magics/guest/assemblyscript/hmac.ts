// HMAC-SHA256 (RFC 2104, FIPS 180-4) and base64url (RFC 4648), for signed tokens.

const KEYS: StaticArray<u32> = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];
const FIRST: StaticArray<u32> = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/** The SHA-256 digest of bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  const size = data.length, padded = new Uint8Array((size + 72) & ~63);
  padded.set(data);
  padded[size] = 0x80;
  store<u64>(padded.dataStart + padded.length - 8, bswap<u64>(<u64>size * 8));
  const state = new StaticArray<u32>(8), words = new StaticArray<u32>(64);
  for (let i = 0; i < 8; i++) state[i] = FIRST[i];
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) words[i] = bswap<u32>(load<u32>(padded.dataStart + at + 4 * i));
    for (let i = 16; i < 64; i++) {
      const a = words[i - 15], b = words[i - 2];
      words[i] = words[i - 16] + (rotr(a, 7) ^ rotr(a, 18) ^ (a >> 3)) + words[i - 7] +
        (rotr(b, 17) ^ rotr(b, 19) ^ (b >> 10));
    }
    let a = state[0], b = state[1], c = state[2], d = state[3];
    let e = state[4], f = state[5], g = state[6], h = state[7];
    for (let i = 0; i < 64; i++) {
      const one = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + KEYS[i] + words[i];
      const two = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g; g = f; f = e; e = d + one;
      d = c; c = b; b = a; a = one + two;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }
  const digest = new Uint8Array(32);
  for (let i = 0; i < 8; i++) store<u32>(digest.dataStart + 4 * i, bswap<u32>(state[i]));
  return digest;
}

/** The signature of data under a key. */
export function hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
  const short = key.length > 64 ? sha256(key) : key;
  const inner = new Uint8Array(64 + data.length), outer = new Uint8Array(96);
  inner.set(short);
  outer.set(short);
  for (let i = 0; i < 64; i++) {
    inner[i] ^= 0x36;
    outer[i] ^= 0x5c;
  }
  inner.set(data, 64);
  outer.set(sha256(inner), 64);
  return sha256(outer);
}

/** Whether bytes are the same, in a time that does not tell how far they agree. */
export function sameBytes(one: Uint8Array, other: Uint8Array): bool {
  if (one.length != other.length) return false;
  let differ: u8 = 0;
  for (let i = 0; i < one.length; i++) differ |= one[i] ^ other[i];
  return differ == 0;
}

/** What base64url without padding stands for; null for what is none. */
export function decodeBase64Url(text: string): Uint8Array | null {
  if (text.length % 4 == 1) return null;
  const bytes = new Uint8Array((text.length * 3) >> 2);
  let kept: u32 = 0, bits = 0, size = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    let value = -1;
    if (c >= 65 && c <= 90) value = c - 65;
    else if (c >= 97 && c <= 122) value = c - 71;
    else if (c >= 48 && c <= 57) value = c + 4;
    else if (c == 45) value = 62;
    else if (c == 95) value = 63;
    if (value < 0) return null;
    kept = (kept << 6) | <u32>value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[size++] = <u8>(kept >> bits);
  }
  return bytes;
}
