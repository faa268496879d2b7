// What the language has elsewhere; the last part.

let chance = new Float64Array(0), drawn = 0;
Math.random = () => {
  if (drawn === chance.length) {
    const words = new Uint32Array(host(RANDOM).buffer);
    chance = Float64Array.from({ length: words.length / 2 }, (_, i) =>
      ((words[2 * i] >>> 5) * 67108864 + (words[2 * i + 1] >>> 6)) / 9007199254740992);
    drawn = 0;
  }
  return chance[drawn++];
};
class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(text = "") { return host(BYTES_OF, String(text)); }
}
class TextDecoder {
  get encoding() { return "utf-8"; }
  decode(data = new Uint8Array(0)) { return textOf(bytesOf(data, "the data")); }
}
for (const [name, value] of Object.entries({ TextEncoder, TextDecoder, HostError })) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}
