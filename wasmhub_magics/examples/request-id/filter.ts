// Request id: keep a well-formed x-correlation-id, else make one; the client learns it, too.
import { Stream, getProperty, setProperty } from "proxy_wasm";

const NAME = "x-correlation-id";

export function onRequestHeaders(stream: Stream): void {
  const given = stream.request.headers.get(NAME);
  const id = given !== null && wellFormed(given) ? given : word() + word() + word() + word();
  stream.request.headers.set(NAME, id);
  setProperty("correlation", id); // kept with the stream
}

export function onResponseHeaders(stream: Stream): void {
  const id = getProperty("correlation");
  if (id !== null) stream.response.headers.set(NAME, id);
}

function word(): string {
  return (<u32>(Math.random() * 4294967296)).toString(16).padStart(8, "0");
}

function wellFormed(text: string): bool {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i), letter = code | 32;
    if (code != 45 && !(code >= 48 && code <= 57) && !(letter >= 97 && letter <= 122)) return false;
  }
  return text.length >= 8 && text.length <= 64;
}
