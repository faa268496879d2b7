// What a filter logs.

const show = (value) => {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Error) return describe(value);
  if (value instanceof Uint8Array) return `Uint8Array(${value.length}) [${value.join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    try {
      return JSON.stringify(value) ?? String(value);
    } catch {
      return String(value);
    }
  }
  return typeof value === "function" ? `[function ${value.name}]` : String(value);
};
const write = (level, values) => {
  host(LOG, level, values.map((value) => (typeof value === "string" ? value : show(value))).join(" "));
};
const LEVELS = ["trace", "debug", "info", "warn", "error", "critical"];
const log = (...values) => write(2, values);
LEVELS.forEach((name, level) => { log[name] = (...values) => write(level, values); });
globalThis.log = log;
globalThis.console = { ...log, log, assert(good, ...values) { if (!good) write(4, ["Assertion failed:", ...values]); } };
delete globalThis.console.critical;

const describe = (error) => {
  if (!(error instanceof Error)) return `Uncaught ${show(error)}`;
  const lines = String(error.stack || "").split("\n").filter((line) => line && !/<prelude>|\(native\)$/.test(line));
  return [`${error.name}: ${error.message}`, ...lines].join("\n");
};
const failed = (error, result) => {
  let text;
  try {
    text = describe(error);
  } catch {
    text = "an error that cannot be told";
  }
  host(LOG, 4, text);
  return result;
};
