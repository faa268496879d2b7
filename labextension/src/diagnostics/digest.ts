/**
 * The digest by which the kernel names a source.
 *
 * It is computed here and at once, because the browser's own SHA-256 is missing where the server is not local and
 * without encryption.
 */

const K = new Uint32Array(64);
const START = new Uint32Array(8);

/** Fractional parts of the roots of the first primes: the constants of SHA-256. */
for (let candidate = 2, found = 0; found < 64; candidate++) {
  let prime = true;
  for (let divisor = 2; divisor * divisor <= candidate; divisor++) {
    prime &&= candidate % divisor !== 0;
  }
  if (prime) {
    if (found < 8) {
      START[found] = (Math.sqrt(candidate) % 1) * 2 ** 32;
    }
    K[found++] = (Math.cbrt(candidate) % 1) * 2 ** 32;
  }
}

/** `sha256:` and the hex digest of a cell's body, without the line feeds at its end. */
export function sourceDigest(body: string): string {
  return `sha256:${sha256(new TextEncoder().encode(body.replace(/\n+$/, '')))}`;
}

function sha256(data: Uint8Array): string {
  const padded = new Uint8Array(((data.length + 72) >> 6) << 6);
  padded.set(data);
  padded[data.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(data.length / 2 ** 29));
  view.setUint32(padded.length - 4, data.length * 8);
  const state = START.slice();
  const schedule = new Uint32Array(64);
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) {
      schedule[i] = view.getUint32(at + i * 4);
    }
    compress(state, schedule);
  }
  return Array.from(state, each => each.toString(16).padStart(8, '0')).join('');
}

function compress(state: Uint32Array, w: Uint32Array): void {
  for (let i = 16; i < 64; i++) {
    const [a, b] = [w[i - 15]!, w[i - 2]!];
    const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3);
    const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10);
    w[i] = w[i - 16]! + s0 + w[i - 7]! + s1;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i]! + w[i]!) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((each, i) => {
    state[i] = state[i]! + each;
  });
}

function rotate(value: number, bits: number): number {
  return (value >>> bits) | (value << (32 - bits));
}
