// The members of one JSON object (RFC 8259).

/** What nests deeper is refused. */
const DEPTH = 64;

/** A JSON object's text, read: its members by name, each as it is written. */
export class JsonObject {
  private members: Map<string, string> = new Map<string, string>();

  /** The object that a text is; null where it is none, or something more. */
  static parse(text: string): JsonObject | null {
    const reader = new Reader(text), found = new JsonObject();
    reader.space();
    if (!reader.take("{")) return null;
    reader.space();
    let more = !reader.take("}");
    while (more) {
      const name = reader.start();
      if (!reader.string()) return null;
      const key = unescaped(reader.since(name));
      reader.space();
      if (!reader.take(":")) return null;
      reader.space();
      const start = reader.start();
      if (!reader.value(1)) return null;
      found.members.set(key, reader.since(start));
      reader.space();
      more = reader.take(",");
      if (!more && !reader.take("}")) return null;
      reader.space();
    }
    reader.space();
    return reader.ended() ? found : null;
  }

  has(name: string): bool {
    return this.members.has(name);
  }

  /** A member as it is written: a string with its quotes, an object with all in it; null where there is none. */
  raw(name: string): string | null {
    return this.members.has(name) ? this.members.get(name) : null;
  }

  /** What a member that is a string says; null where there is none. */
  text(name: string): string | null {
    const raw = this.raw(name);
    return raw !== null && raw.startsWith('"') ? unescaped(raw) : null;
  }

  /** A member that is a number; NaN where there is none. */
  number(name: string): f64 {
    const raw = this.raw(name);
    if (raw === null || (raw.charCodeAt(0) != 45 && !isDigit(raw.charCodeAt(0)))) return NaN;
    return parseFloat(raw);
  }
}

class Reader {
  private at: i32 = 0;

  constructor(private readonly source: string) {}

  start(): i32 { return this.at; }
  since(start: i32): string { return this.source.substring(start, this.at); }
  ended(): bool { return this.at == this.source.length; }

  private next(): i32 { return this.at < this.source.length ? this.source.charCodeAt(this.at) : -1; }

  space(): void {
    for (let c = this.next(); c == 32 || c == 9 || c == 10 || c == 13; c = this.next()) this.at++;
  }

  /** Go past a word that stands here. */
  take(word: string): bool {
    if (this.source.substr(this.at, word.length) != word) return false;
    this.at += word.length;
    return true;
  }

  string(): bool {
    if (!this.take('"')) return false;
    for (let c = this.next(); c >= 32; c = this.next()) {
      this.at++;
      if (c == 34) return true;
      if (c != 92) continue;
      c = this.next();
      if (c < 0 || !'"\\/bfnrtu'.includes(String.fromCharCode(c))) return false;
      this.at++;
      for (let i = 0; c == 117 && i < 4; i++) {
        if (!isHex(this.next())) return false;
        this.at++;
      }
    }
    return false;
  }

  private digits(): bool {
    const start = this.at;
    while (isDigit(this.next())) this.at++;
    return this.at > start;
  }

  private number(): bool {
    this.take("-");
    if (!this.take("0") && !this.digits()) return false;
    if (this.take(".") && !this.digits()) return false;
    if (!this.take("e") && !this.take("E")) return true;
    if (!this.take("+")) this.take("-");
    return this.digits();
  }

  value(depth: i32): bool {
    if (this.take("true") || this.take("false") || this.take("null")) return true;
    const c = this.next();
    if (c == 34) return this.string();
    if (c != 123 && c != 91) return this.number();
    if (depth == DEPTH) return false;
    this.at++;
    this.space();
    const close = c == 123 ? "}" : "]";
    if (this.take(close)) return true;
    do {
      this.space();
      if (c == 123) {
        if (!this.string()) return false;
        this.space();
        if (!this.take(":")) return false;
        this.space();
      }
      if (!this.value(depth + 1)) return false;
      this.space();
    } while (this.take(","));
    return this.take(close);
  }
}

function isDigit(c: i32): bool { return c >= 48 && c <= 57; }

function isHex(c: i32): bool { return isDigit(c) || ((c | 32) >= 97 && (c | 32) <= 102); }

/** What a string that is written properly says. */
function unescaped(written: string): string {
  let text = "", from = 1;
  const end = written.length - 1;
  for (let at = 1; at < end; at++) {
    if (written.charCodeAt(at) != 92) continue;
    text += written.substring(from, at);
    const c = written.charCodeAt(++at), known = "bfnrt".indexOf(String.fromCharCode(c));
    if (c == 117) {
      text += String.fromCharCode(<i32>parseInt(written.substr(at + 1, 4), 16));
      at += 4;
    } else {
      text += known < 0 ? String.fromCharCode(c) : "\b\f\n\r\t".charAt(known);
    }
    from = at + 1;
  }
  return text + written.substring(from, end);
}
