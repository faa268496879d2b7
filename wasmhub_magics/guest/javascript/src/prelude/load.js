// The start of a filter: what it was built with, its source, its callbacks.

const rejected = new Map();
let found = null;
let files = {}, isModule = false;
host(LISTEN, EXTRAS, (json) => {
  const given = JSON.parse(json);
  files = given.files;
  isModule = given.module;
  for (const [name, value] of Object.entries(given.defines)) {
    Object.defineProperty(globalThis, name, { value, configurable: true });
  }
  globalThis.__found = (callbacks) => { found = callbacks; };
  return 0;
});
host(LISTEN, RESOLVE, (base, name) => {
  const parts = name.startsWith(".") && files[base] !== undefined ? base.split("/").slice(0, -1) : [];
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  const path = parts.join("/");
  if (files[path] === undefined) throw new ReferenceError(`there is no file ${path}; it was not built in`);
  return path;
});
host(LISTEN, FILE, (name) => (name ? (/\.json$/.test(name) ? `export default ${files[name]}` : files[name]) : `\n__found(${FIND});`));

const evaluate = eval; // in the scope of the filter's source
host(LISTEN, LOAD, (bad, error) => {
  try {
    rejected.clear();
    if (bad) return failed(error, 0);
    if (!found && isModule) throw new Error("a filter cannot wait while it starts: there is an await at the top level");
    found ??= evaluate(FIND);
    delete globalThis.__found;
    for (const [name, number, actions] of MESSAGES) {
      if (found[name]) host(LISTEN, number, message(name, found[name], actions));
    }
    if (found.onTick) host(LISTEN, TICK, telling(found.onTick));
    if (found.onQueue) host(LISTEN, QUEUE_READY, telling(found.onQueue));
    if (found.onLog) host(LISTEN, ON_LOG, ending(found.onLog));
    if (found.onDone) host(LISTEN, DONE, ending(found.onDone));
    const last = found.onDelete && ending(found.onDelete);
    host(LISTEN, DELETE, (id) => { // also what a stream keeps must go with it
      if (roots.delete(id)) {
        first = roots.values().next().value ?? first;
        return 0;
      }
      const result = last ? last(id) : 0;
      streams.delete(id);
      parents.delete(id);
      return result;
    });
    return 1;
  } catch (failure) {
    return failed(failure, 0);
  }
});
host(LISTEN, CONTEXT_CREATE, (id, parent) => {
  if (parent) {
    parents.set(id, parent);
  } else if (!roots.has(id)) {
    roots.set(id, new Plugin(id));
    first = roots.values().next().value;
  }
  return 0;
});
host(LISTEN, VM_START, (id) => {
  try {
    return ask("onVmStart", found.onVmStart, roots.get(id));
  } catch (error) {
    return failed(error, 0);
  }
});
host(LISTEN, CONFIGURE, (id) => {
  try {
    const root = roots.get(id), data = host(GET_BUFFER, 7, 0, ALL);
    root.configuration = bytes(typeof data === "number" ? new Uint8Array(0) : data);
    root.config = parsed(root.configuration.text());
    return ask("onConfigure", found.onConfigure, root);
  } catch (error) {
    return failed(error, 0);
  }
});

// A promise that is rejected and handled by nobody when a callback has ended is an error like any other.
host(LISTEN, REJECTION, (promise, reason, handled) => {
  if (handled) rejected.delete(promise);
  else rejected.set(promise, reason);
  return 0;
});
host(LISTEN, SETTLE, () => {
  if (!rejected.size) return 0;
  for (const reason of rejected.values()) failed(reason);
  return -1;
});
