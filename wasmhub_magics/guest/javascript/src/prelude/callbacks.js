// From the proxy's callbacks to the filter's functions.

const HEADERS = { 0: 0, 1: 1, 16: 3, 17: 4 }, BODY = { 0: 0, 1: 1, 16: 1, 17: 2, 18: 3 }, TRAILERS = { 0: 0, 1: 1 };
const MESSAGES = [
  ["onRequestHeaders", REQUEST_HEADERS, HEADERS], ["onRequestBody", REQUEST_BODY, BODY],
  ["onRequestTrailers", REQUEST_TRAILERS, TRAILERS], ["onResponseHeaders", RESPONSE_HEADERS, HEADERS],
  ["onResponseBody", RESPONSE_BODY, BODY], ["onResponseTrailers", RESPONSE_TRAILERS, TRAILERS],
];
const NAMES = [
  "onVmStart", "onConfigure", "onLog", "onDone", "onDelete", "onTick", "onQueue", ...MESSAGES.map(([name]) => name),
];
const FIND = `({${NAMES.map((name) => `${name}: typeof ${name} === "function" ? ${name} : null`)}})`;

const refuseResult = (name, result) => {
  if (result instanceof Promise) throw new TypeError(`${name} cannot wait, so it cannot be async`);
  const more = name.endsWith("Body") ? "ctx.BUFFER, ctx.WATERMARK, ctx.NO_BUFFER" : "ctx.BUFFER, ctx.WATERMARK";
  const allowed = "nothing, ctx.CONTINUE, ctx.PAUSE" + (name.endsWith("Trailers") ? "" : ", " + more);
  throw new TypeError(`${name} must return ${allowed}, not ${show(result)}`);
};
const actionOf = (name, result, actions) => {
  if (result === undefined || result === null) return 0;
  if (typeof result !== "number" || !(result in actions)) refuseResult(name, result);
  return actions[result];
};
let waiting = null; // what became of the promise that a callback has just returned
const later = (stream, name, promise, actions) => {
  const state = waiting = { parked: false, action: 0 };
  promise.then((result) => {
    state.action = actionOf(name, result, actions);
    state.done = true;
    if (!state.parked || state.action || answered.has(stream) || streams.get(stream.id) !== stream) return;
    if (name.startsWith("onRequest")) stream.resumeRequest();
    else stream.resumeResponse();
  });
  return PENDING;
};
host(LISTEN, OUTCOME, () => {
  // Where a call is still awaited, its answer lets the message go on.
  const settled = waiting.done === true;
  waiting.parked = !settled;
  return settled ? waiting.action : PAUSE;
});
const message = (name, callback, actions) => (id, end) => {
  try {
    const stream = streamOf(id);
    stream.endOfStream = actions === TRAILERS || end === 1;
    const result = callback(stream);
    if (result instanceof Promise) return later(stream, name, result, actions);
    return actionOf(name, result, actions);
  } catch (error) {
    return failed(error, -1);
  }
};
const telling = (callback) => (id, token) => {
  try {
    const plugin = roots.get(id);
    if (token !== undefined) plugin.queue = [...QUEUES.values()].find((queue) => queue.is(token)) ?? null;
    callback(plugin);
    return 0;
  } catch (error) {
    return failed(error, -1);
  }
};
host(LISTEN, CALL_RESPONSE, (_root, token) => {
  const entry = calls.get(token);
  calls.delete(token);
  if (!entry) return 0;
  const [context, resolve] = entry;
  try {
    if (context instanceof Stream) {
      if (streams.get(context.id) !== context) return 0; // it has ended
      check(host(EFFECTIVE, context.id), "the stream cannot be reached");
    }
    resolve(new Answer());
    return 0;
  } catch (error) {
    return failed(error, -1);
  }
});
const ending = (callback) => (id) => {
  if (roots.has(id)) return 1;
  try {
    callback(streamOf(id));
    return 1;
  } catch (error) {
    return failed(error, -1);
  }
};
const ask = (name, callback, root) => {
  if (!callback) return 1;
  const result = callback(root);
  if (result instanceof Promise) refuseResult(name, result);
  if (result === undefined || result) return 1;
  log.error(`${name} refused: it returned ${show(result)}`);
  return 0;
};
const parsed = (text) => {
  if (!text.trim()) return {};
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};
