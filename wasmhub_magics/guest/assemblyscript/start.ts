// What every filter does with contexts and answers, whatever its source has.

import { Action, log } from "proxy_wasm";

/** The plugins; all other contexts are streams. */
const roots = new Set<u32>();

export function created(id: u32, parent: u32): void {
  if (!parent) roots.add(id);
}

export function deleted(id: u32): void {
  roots.delete(id);
}

export function isStream(id: u32): bool {
  return !roots.has(id);
}

export function answered(name: string, good: bool): bool {
  if (!good) log.error(name + " refused: it returned false");
  return good;
}

export function headers(action: Action): u32 {
  if (action == Action.NoBuffer) throw new Error("only a body can be dropped");
  return action == Action.Buffer ? 3 : action == Action.Watermark ? 4 : <u32>action;
}

export function body(action: Action): u32 {
  return action == Action.Buffer ? 1 : action == Action.Watermark ? 2 : action == Action.NoBuffer ? 3 : <u32>action;
}

export function trailers(action: Action): u32 {
  return action == Action.Continue ? 0 : 1;
}
