/** The protocol of the host module (src/exchange.zig): bytes to and from it, as proxy/wire.py has them. */

const encoder = new TextEncoder();

/** Text as Python decodes it with `backslashreplace`, so that bytes which are no text look the same there. */
function decode(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    let text = "";
    for (let at = 0; at < bytes.length; ) {
      const first = bytes[at];
      const size = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
      try {
        if (!size || at + size > bytes.length) throw new Error();
        text += new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(at, at + size));
        at += size;
      } catch {
        text += `\\x${first.toString(16).padStart(2, "0")}`;
        at += 1;
      }
    }
    return text;
  }
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

const unbase64 = (text) => Uint8Array.from(atob(text ?? ""), (letter) => letter.charCodeAt(0));

class Writer {
  constructor() {
    this.parts = [];
  }
  put(size, write) {
    const part = new DataView(new ArrayBuffer(size));
    write(part);
    this.parts.push(new Uint8Array(part.buffer));
    return this;
  }
  u8(value) {
    return this.put(1, (part) => part.setUint8(0, value));
  }
  u32(value) {
    return this.put(4, (part) => part.setUint32(0, value, true));
  }
  u64(value) {
    return this.put(8, (part) => part.setBigUint64(0, BigInt(value), true));
  }
  text(value) {
    const bytes = typeof value === "string" ? encoder.encode(value) : value;
    this.u32(bytes.length);
    this.parts.push(bytes);
    return this;
  }
  texts(values) {
    this.u32(values.length);
    for (const value of values) this.text(value);
    return this;
  }
  pairs(pairs) {
    this.u32(pairs.length);
    for (const [name, value] of pairs) this.text(name.toLowerCase()).text(value);
    return this;
  }
  answer({ status, headers, body, trailers, chunks }) {
    return this.u32(status).pairs(headers ?? []).texts(frames(unbase64(body), chunks ?? [])).pairs(trailers ?? []);
  }
  whole() {
    const whole = new Uint8Array(this.parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }
  u8() {
    return this.bytes[this.at++];
  }
  u32() {
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }
  u64() {
    this.at += 8;
    return Number(this.view.getBigUint64(this.at - 8, true));
  }
  text() {
    const size = this.u32();
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }
  list(read) {
    return Array.from({ length: this.u32() }, () => read(this));
  }
  pairs() {
    return this.list((reader) => [decode(reader.text()), decode(reader.text())]);
  }
  message() {
    return { headers: this.pairs(), body: base64(this.text()), trailers: this.pairs() };
  }
}

function frames(body, chunks) {
  const found = [];
  let start = 0;
  for (const size of chunks) {
    if (start < body.length) found.push(body.subarray(start, start + size));
    start += size;
  }
  if (start < body.length) found.push(body.subarray(start));
  return found;
}
