// A filter that does what a script says and logs what comes of each step: the result and the value of every
// host call. The configuration is "INDEX RUN;SCRIPT", the script of the root context and of stream creation; RUN
// is a word that no other run has. Each stream brings its own script in the request header x-probe-INDEX.
//
// A script is steps parted by ";". A step is a letter for the callback, the call it is for (a number from 1, "*"
// for each, "$" for the one with the end of the stream), ":", and an operation with its arguments parted by ",".
// "y" and "Y" are METADATA frames of request and response.
// What happens on the root context runs the steps of the stream that asked for it: "a" when the answer to a call
// arrives (its tag is in the place of the number), "k" at a tick, "q" when a queue is ready; of a gRPC call or
// stream "i" at its first metadata, "m" at a message, "e" at its last metadata, "g" when it is gone.
// With PROBE_TCP it is a filter of TCP whose connections have the script of the root: "n" is a new connection, "D"
// and "U" are data from downstream and upstream, "f" and "u" the ends of the two.
// In arguments "%41" is a byte, and "!40" stands for 40 letters.
#define proxy_on_memory_allocate probe_unused_allocate
#include "proxy_wasm.h"
#undef proxy_on_memory_allocate

#define WASI(name, ...)                                                                                        \
  __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) uint32_t wasi_##name(__VA_ARGS__)
WASI(fd_write, uint32_t, const void *, uint32_t, uint32_t *);
WASI(clock_time_get, uint32_t, uint64_t, uint64_t *);
WASI(random_get, void *, uint32_t);
WASI(environ_sizes_get, uint32_t *, uint32_t *);
WASI(environ_get, uint32_t *, char *);
WASI(args_sizes_get, uint32_t *, uint32_t *);
WASI(sched_yield, void);
WASI(fd_close, uint32_t);
WASI(fd_seek, uint32_t, int64_t, uint32_t, uint64_t *);
WASI(fd_fdstat_get, uint32_t, void *);
WASI(fd_prestat_get, uint32_t, void *);
WASI(poll_oneoff, const void *, void *, uint32_t, uint32_t *);
WASI(clock_res_get, uint32_t, uint64_t *);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"))) void wasi_proc_exit(uint32_t);

__attribute__((import_module("env"), import_name("envoy_resolve_dns"))) uint32_t envoy_resolve_dns(const char *, size_t,
                                                                                                 uint32_t *);
__attribute__((import_module("env"), import_name("pthread_equal"))) uint32_t pthread_equal(uint32_t, uint32_t);
__attribute__((import_module("env"), import_name("emscripten_notify_memory_growth"))) void
emscripten_notify_memory_growth(uint32_t);

static int refuse_memory;
__attribute__((export_name("proxy_on_memory_allocate"))) void *probe_allocate(size_t size) {
  if (refuse_memory) {
    refuse_memory--;
    return NULL;
  }
  return malloc(size);
}

// --- one line of the log -----------------------------------------------------------------------------------------

static char line[16384];
static size_t at;

static void byte(char c) {
  if (at < sizeof line) line[at++] = c;
}
static void word(const char *text) {
  while (*text) byte(*text++);
}
static void number(uint64_t value) {
  char digits[20];
  int n = 0;
  do digits[n++] = (char)('0' + value % 10);
  while (value /= 10);
  while (n) byte(digits[--n]);
}
static void text(const char *bytes, size_t size) {
  uint32_t hash = 2166136261u; // of what is not shown: a random request id is at the front
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (i >= 300) {
      hash = (hash ^ c) * 16777619u;
      continue;
    }
    if (c > 32 && c < 127 && c != '%')
      byte((char)c);
    else
      byte('%'), byte("0123456789abcdef"[c >> 4]), byte("0123456789abcdef"[c & 15]);
  }
  if (size > 300) word("..."), number(size), byte(' '), number(hash);
}
static void say(void) {
  size_t size = at;
  at = 0;
  proxy_log(PW_LOG_INFO, line, size);
}

// --- the script ----------------------------------------------------------------------------------------------------

typedef struct { // a stream or a root
  uint32_t id;
  uint32_t root;
  char index;
  bool read;    // the script of the stream has been looked for
  bool ticking; // waits for a tick
  char *script;
  size_t size;
  uint8_t calls[128];
} Slot;
static Slot slots[64];

static Slot *slot(uint32_t id) {
  for (int i = 0; i < 64; i++)
    if (slots[i].id == id) return &slots[i];
  return NULL;
}

static char run_name[32]; // tells the metrics of this run from those of others

static struct { uint32_t token, id; char tag; } calls_made[64]; // who waits for which answer
static uint32_t grpc_tokens[10];                                // of gRPC calls and streams, by their tags
static uint32_t queues[8], metrics[8], last_cas, enqueuer;

static char scratch[400000];
static size_t used;
static const char *cursor, *limit;

static bool more(void) { return cursor < limit && *cursor == ','; }
static pw_text next(void) {
  pw_text out = {scratch + used, 0};
  if (more()) cursor++;
  if (cursor < limit && *cursor == '!') {
    uint32_t count = 0;
    for (cursor++; cursor < limit && *cursor != ','; cursor++) count = count * 10 + (uint32_t)(*cursor - '0');
    for (; count && used < sizeof scratch; count--) scratch[used++] = 'z', out.size++;
    return out;
  }
  for (; cursor < limit && *cursor != ','; cursor++) {
    char c = *cursor;
    if (c == '%' && cursor + 2 < limit + 0) {
      char hex[2] = {cursor[1], cursor[2]};
      int value = 0;
      for (int i = 0; i < 2; i++)
        value = value * 16 + (hex[i] <= '9' ? hex[i] - '0' : (hex[i] | 32) - 'a' + 10);
      c = (char)value;
      cursor += 2;
    }
    if (used < sizeof scratch) scratch[used++] = c, out.size++;
  }
  return out;
}
static uint32_t count(void) {
  pw_text digits = next();
  uint32_t value = 0;
  bool minus = digits.size && digits.data[0] == '-';
  for (size_t i = minus; i < digits.size; i++) value = value * 10 + (uint32_t)(digits.data[i] - '0');
  return minus ? 0u - value : value;
}

// The rest of a step as serialised pairs.
static pw_text pairs(void) {
  uint32_t n = 0;
  static pw_text parts[128];
  while (more() && n < 128) parts[n++] = next();
  n &= ~1u;
  size_t size = 4 + 4 * n;
  for (uint32_t i = 0; i < n; i++) size += parts[i].size + 1;
  char *out = malloc(size), *lengths = out + 4, *to = out + 4 + 4 * n;
  uint32_t half = n / 2;
  memcpy(out, &half, 4);
  for (uint32_t i = 0; i < n; i++) {
    uint32_t length = (uint32_t)parts[i].size;
    memcpy(lengths + 4 * i, &length, 4);
    memcpy(to, parts[i].data, length);
    to[length] = 0;
    to += length + 1;
  }
  return (pw_text){out, size};
}

// --- the operations --------------------------------------------------------------------------------------------------

static uint32_t answer;

// Times and what the test itself puts in: not to be compared.
static void value_of(pw_text name, pw_text value) {
  if (pw_starts_with(name, "x-probe-"))
    byte('#'), number(value.size);
  else if (pw_equal_ignoring_case(name, "x-envoy-upstream-service-time") || pw_equal_ignoring_case(name, "date"))
    word(value.size ? "<time>" : "");
  else
    text(value.data, value.size);
}
static void status(pw_result result) {
  word(" -> ");
  number(result);
}
// How long the service time is depends on the machine.
static size_t timed(void) {
  pw_text value = {NULL, 0};
  static const char name[] = "x-envoy-upstream-service-time";
  int refused = refuse_memory;
  refuse_memory = 0;
  pw_result found = proxy_get_header_map_value(PW_RESPONSE_HEADERS, name, sizeof name - 1, &value.data, &value.size);
  refuse_memory = refused;
  if (found) return 0;
  size_t size = value.size;
  pw_free(&value);
  return size;
}

static void list(pw_text all) {
  pw_cursor cursor = {0};
  for (pw_text name, value; pw_next(all, &cursor, &name, &value);) {
    byte(' ');
    text(name.data, name.size);
    byte('=');
    value_of(name, value);
  }
}

// A map of a property comes in an order that changes from run to run.
static void unordered(pw_text all) {
  pw_cursor cursor = {0};
  uint32_t count = 0, sum = 0;
  for (pw_text name, value; pw_next(all, &cursor, &name, &value); count++) {
    bool hidden = pw_starts_with(name, "x-probe-") || pw_equal(name, "date") || pw_equal(name, "x-request-id") ||
                  pw_equal(name, "x-envoy-upstream-service-time");
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.size; i++) hash = (hash ^ (unsigned char)name.data[i]) * 16777619u;
    for (size_t i = 0; !hidden && i < value.size; i++) hash = (hash ^ (unsigned char)value.data[i]) * 16777619u;
    sum += hash;
  }
  number(count), byte(' '), number(sum);
}

static void bad(uint32_t which, uint32_t kind, uint32_t how) {
  char *wrong = how == 0 ? (char *)0xfffffff0u : how == 1 ? (char *)((__builtin_wasm_memory_size(0) << 16) - 2) : (char *)1024;
  size_t many = how == 2 ? 0xfffffff0u : 32;
  char *out = NULL;
  size_t size = 0;
  uint32_t flags = 0;
  pw_result result = 99;
  switch (which) {
  case 0: result = proxy_log(PW_LOG_INFO, wrong, many); break;
  case 1: result = proxy_get_header_map_value(kind, wrong, many, &out, &size); break;
  case 2: result = proxy_get_header_map_value(kind, ":path", 5, (char **)wrong, &size); break;
  case 3: result = proxy_get_header_map_value(kind, ":path", 5, &out, (size_t *)wrong); break;
  case 4: result = proxy_add_header_map_value(kind, wrong, many, "v", 1); break;
  case 5: result = proxy_add_header_map_value(kind, "x-bad", 5, wrong, many); break;
  case 6: result = proxy_replace_header_map_value(kind, "x-bad", 5, wrong, many); break;
  case 7: result = proxy_remove_header_map_value(kind, wrong, many); break;
  case 8: result = proxy_get_header_map_pairs(kind, (char **)wrong, &size); break;
  case 9: result = proxy_get_header_map_pairs(kind, &out, (size_t *)wrong); break;
  case 10: result = proxy_set_header_map_pairs(kind, wrong, many); break;
  case 11: result = proxy_get_header_map_size(kind, (size_t *)wrong); break;
  case 12: result = proxy_get_buffer_bytes(kind, 0, 100, (char **)wrong, &size); break;
  case 13: result = proxy_get_buffer_bytes(kind, 0, 100, &out, (size_t *)wrong); break;
  case 14: result = proxy_get_buffer_status(kind, (size_t *)wrong, &flags); break;
  case 15: result = proxy_get_buffer_status(kind, &size, (uint32_t *)wrong); break;
  case 16: result = proxy_set_buffer_bytes(kind, 0, 0, wrong, many); break;
  case 17: result = proxy_get_property(wrong, many, &out, &size); break;
  case 18: result = proxy_get_property("plugin_name", 11, (char **)wrong, &size); break;
  case 19: result = proxy_get_property("plugin_name", 11, &out, (size_t *)wrong); break;
  case 20: result = proxy_set_property(wrong, many, "v", 1); break;
  case 21: result = proxy_set_property("k", 1, wrong, many); break;
  case 22: result = proxy_send_local_response(418, "d", 1, wrong, many, NULL, 0, PW_GRPC_NONE); break;
  case 23: result = proxy_send_local_response(418, wrong, many, "b", 1, NULL, 0, PW_GRPC_NONE); break;
  case 24: result = proxy_send_local_response(418, "d", 1, "b", 1, wrong, many, PW_GRPC_NONE); break;
  case 25: result = proxy_get_current_time_nanoseconds((uint64_t *)wrong); break;
  case 26: result = proxy_get_status((uint32_t *)wrong, &out, &size); break;
  case 27: result = proxy_get_status(&flags, (char **)wrong, &size); break;
  case 28: result = proxy_call_foreign_function(wrong, many, NULL, 0, &out, &size); break;
  case 29: result = proxy_call_foreign_function("clear_route_cache", 17, wrong, many, &out, &size); break;
  case 30: result = proxy_call_foreign_function("clear_route_cache", 17, NULL, 0, (char **)wrong, &size); break;
  case 32: result = proxy_http_call(wrong, many, NULL, 0, NULL, 0, NULL, 0, 9, &flags); break;
  case 33: result = proxy_http_call("auth", 4, wrong, many, NULL, 0, NULL, 0, 9, &flags); break;
  case 34: result = proxy_http_call("auth", 4, NULL, 0, wrong, many, NULL, 0, 9, &flags); break;
  case 35: result = proxy_http_call("auth", 4, NULL, 0, NULL, 0, wrong, many, 9, &flags); break;
  case 36: result = proxy_http_call("auth", 4, NULL, 0, NULL, 0, NULL, 0, 9, (uint32_t *)wrong); break;
  case 37: result = proxy_get_shared_data(wrong, many, &out, &size, &flags); break;
  case 38: result = proxy_get_shared_data("a", 1, (char **)wrong, &size, &flags); break;
  case 39: result = proxy_get_shared_data("a", 1, &out, &size, (uint32_t *)wrong); break;
  case 40: result = proxy_set_shared_data(wrong, many, "v", 1, 0); break;
  case 41: result = proxy_set_shared_data("a", 1, wrong, many, 0); break;
  case 42: result = proxy_register_shared_queue(wrong, many, &flags); break;
  case 43: result = proxy_register_shared_queue("bad", 3, (uint32_t *)wrong); break;
  case 44: result = proxy_resolve_shared_queue(wrong, many, "bad", 3, &flags); break;
  case 45: result = proxy_resolve_shared_queue("", 0, wrong, many, &flags); break;
  case 46: result = proxy_enqueue_shared_queue(queues[kind & 7], wrong, many); break;
  case 47: result = proxy_dequeue_shared_queue(queues[kind & 7], (char **)wrong, &size); break;
  case 48: result = proxy_define_metric(kind & 3, wrong, many, &flags); break;
  case 49: result = proxy_define_metric(kind & 3, "bad", 3, (uint32_t *)wrong); break;
  case 50: result = proxy_get_metric(metrics[kind & 7], (uint64_t *)wrong); break;
  case 51: result = proxy_grpc_call(wrong, many, "s", 1, "m", 1, NULL, 0, NULL, 0, 9, &flags); break;
  case 52: result = proxy_grpc_call("nobody", 6, wrong, many, "m", 1, NULL, 0, NULL, 0, 9, &flags); break;
  case 53: result = proxy_grpc_call("nobody", 6, "s", 1, wrong, many, NULL, 0, NULL, 0, 9, &flags); break;
  case 54: result = proxy_grpc_call("nobody", 6, "s", 1, "m", 1, wrong, many, NULL, 0, 9, &flags); break;
  case 55: result = proxy_grpc_call("nobody", 6, "s", 1, "m", 1, NULL, 0, wrong, many, 9, &flags); break;
  case 56: result = proxy_grpc_stream(wrong, many, "s", 1, "m", 1, NULL, 0, &flags); break;
  case 57: result = proxy_grpc_stream("nobody", 6, wrong, many, "m", 1, NULL, 0, &flags); break;
  case 58: result = proxy_grpc_stream("nobody", 6, "s", 1, wrong, many, NULL, 0, &flags); break;
  case 59: result = proxy_grpc_stream("nobody", 6, "s", 1, "m", 1, wrong, many, &flags); break;
  case 60: result = proxy_grpc_send(grpc_tokens[1], wrong, many, 0); break;
#if defined(PW_ABI_0_2_1)
  case 31: result = proxy_get_log_level((pw_log_level *)wrong); break;
#endif
  }
  status(result);
  byte(' ');
  number(which == 8 && kind == PW_RESPONSE_HEADERS && size ? size - timed() : size);
}

static void wasi(uint32_t which, uint32_t arg) {
  static uint32_t area[16];
  static char big[80];
  uint64_t wide = 0;
  uint32_t one = 77, two = 77, result = 99;
  const struct {
    const char *data;
    uint32_t size;
  } parts[2] = {{"from ", 5}, {"stdout\n", 7}};
  switch (which) {
  case 0: result = wasi_fd_write(arg, parts, 2, &one); break;
  case 1: result = wasi_fd_write(arg, (void *)0xfffffff0u, 2, &one); break;
  case 2: result = wasi_fd_write(arg, parts, 2, (uint32_t *)0xfffffff0u); break;
  case 3: result = wasi_fd_write(arg, parts, 0, &one); break;
  case 4: result = wasi_clock_time_get(arg, 1, &wide); break;
  case 5: result = wasi_clock_time_get(arg, 1, (uint64_t *)0xfffffff0u); break;
  case 6: result = wasi_clock_res_get(arg, &wide), one = (uint32_t)wide; break;
  case 7: result = wasi_random_get(big, arg); break;
  case 8: result = wasi_random_get((void *)0xfffffff0u, arg); break;
  case 9: result = wasi_environ_sizes_get(&one, &two); break;
  case 10:
    memset(big, 'e', sizeof big);
    result = wasi_environ_get(area, big);
    text(big, 40);
    break;
  case 11: result = wasi_args_sizes_get(&one, &two); break;
  case 12: result = wasi_sched_yield(); break;
  case 13: result = wasi_fd_close(arg); break;
  case 14: result = wasi_fd_seek(arg, 0, 0, &wide); break;
  case 15:
    memset(big, 'e', sizeof big);
    result = wasi_fd_fdstat_get(arg, big);
    text(big, 32);
    break;
  case 16: result = wasi_fd_prestat_get(arg, big); break;
  case 17: result = wasi_poll_oneoff(big, big, arg, &one); break;
  default: result = wasi_other(which - 18, arg);
  }
  word(" errno ");
  number(result);
  byte(' ');
  number(one);
  byte(' ');
  number(two);
}

static void waits(uint32_t token, uint32_t id, pw_text tag) {
  for (int i = 0; token && i < 64; i++)
    if (!calls_made[i].token) {
      calls_made[i].token = token;
      calls_made[i].id = id;
      calls_made[i].tag = tag.size ? tag.data[0] : '0';
      return;
    }
}
static uint32_t *grpc_token(pw_text tag) { return &grpc_tokens[tag.size ? (tag.data[0] - '0') % 10 : 0]; }

static void step(uint32_t id, Slot *s) {
  pw_text op = next();
  pw_text out = {NULL, 0};
  text(op.data, op.size);
#define IS(name) else if (pw_equal(op, name))
  if (0) {
  }
  IS("get") {
    uint32_t map = count();
    pw_text name = next();
    byte(' '), number(map), byte(' '), text(name.data, name.size);
    status(proxy_get_header_map_value(map, name.data, name.size, &out.data, &out.size));
    byte(' ');
    value_of(name, out);
  }
  IS("add") {
    uint32_t map = count();
    pw_text name = next(), value = next();
    byte(' '), number(map), byte(' '), text(name.data, name.size);
    status(proxy_add_header_map_value(map, name.data, name.size, value.data, value.size));
  }
  IS("set") {
    uint32_t map = count();
    pw_text name = next(), value = next();
    byte(' '), number(map), byte(' '), text(name.data, name.size);
    status(proxy_replace_header_map_value(map, name.data, name.size, value.data, value.size));
  }
  IS("del") {
    uint32_t map = count();
    pw_text name = next();
    byte(' '), number(map), byte(' '), text(name.data, name.size);
    status(proxy_remove_header_map_value(map, name.data, name.size));
  }
  IS("pairs") {
    uint32_t map = count();
    byte(' '), number(map);
    status(proxy_get_header_map_pairs(map, &out.data, &out.size));
    list(out);
  }
  IS("setpairs") {
    uint32_t map = count();
    byte(' '), number(map);
    pw_text all = pairs();
    status(proxy_set_header_map_pairs(map, all.data, all.size));
    free(all.data);
  }
  IS("rawpairs") {
    uint32_t map = count();
    byte(' '), number(map);
    pw_text raw = next();
    status(proxy_set_header_map_pairs(map, raw.data, raw.size));
  }
  IS("size") {
    uint32_t map = count();
    size_t size = 0, less = map == PW_RESPONSE_HEADERS ? timed() : 0;
    byte(' '), number(map);
    status(proxy_get_header_map_size(map, &size));
    byte(' ');
    number(size >= less ? size - less : size);
  }
  IS("buf") {
    uint32_t kind = count(), start = count(), size = count();
    byte(' '), number(kind), byte(' '), number(start), byte(' '), number(size);
    status(proxy_get_buffer_bytes(kind, start, size, &out.data, &out.size));
    byte(' ');
    text(out.data, out.size);
  }
  IS("bst") {
    uint32_t kind = count(), flags = 77;
    size_t size = 77;
    byte(' '), number(kind);
    status(proxy_get_buffer_status(kind, &size, &flags));
    byte(' '), number(size), byte(' '), number(flags);
  }
  IS("put") {
    uint32_t kind = count(), start = count(), size = count();
    pw_text value = next();
    byte(' '), number(kind), byte(' '), number(start), byte(' '), number(size);
    status(proxy_set_buffer_bytes(kind, start, size, value.data, value.size));
  }
  IS("prop") {
    pw_text path = next();
    byte(' '), text(path.data, path.size);
    status(proxy_get_property(path.data, path.size, &out.data, &out.size));
    byte(' ');
    if ((path.size == 17 && !memcmp(path.data, "response\0trailers", 17)) ||
        (path.size == 16 && !memcmp(path.data, "response\0headers", 16)) ||
        (path.size == 15 && !memcmp(path.data, "request\0headers", 15)))
      unordered(out);
    else
      text(out.data, out.size);
  }
  IS("propsize") { // of a value that is a time, or comes from this machine
    pw_text path = next();
    byte(' '), text(path.data, path.size);
    status(proxy_get_property(path.data, path.size, &out.data, &out.size));
    byte(' '), number(pw_ends_with(path, "address") && out.size ? 0 : out.size);
  }
  IS("setprop") {
    pw_text path = next(), value = next();
    byte(' '), text(path.data, path.size);
    status(proxy_set_property(path.data, path.size, value.data, value.size));
  }
  IS("reply") {
    uint32_t code = count();
    pw_text details = next(), body = next();
    int32_t grpc = (int32_t)count();
    byte(' '), number(code);
    pw_text all = pairs();
    status(proxy_send_local_response(code, details.data, details.size, body.data, body.size, all.data, all.size, grpc));
    free(all.data);
  }
#if defined(PW_ABI_0_1_0)
  IS("continue") {
    uint32_t stream = count();
    byte(' '), number(stream);
    status(stream == 1 ? proxy_continue_response() : stream == 2 ? proxy_clear_route_cache() : proxy_continue_request());
  }
  IS("conf") {
    status(proxy_get_configuration(&out.data, &out.size));
    byte(' '), number(out.size);
  }
#else
  IS("continue") {
    uint32_t stream = count();
    byte(' '), number(stream);
    status(proxy_continue_stream(stream));
  }
  IS("close") {
    uint32_t stream = count();
    byte(' '), number(stream);
    status(proxy_close_stream(stream));
  }
#endif
#if defined(PW_ABI_0_2_1)
  IS("level") {
    pw_log_level level = 77;
    status(proxy_get_log_level(&level));
  }
#endif
  IS("log") {
    uint32_t level = count();
    pw_text message = next();
    byte(' '), number(level);
    status(proxy_log(level, message.data, message.size));
  }
  IS("status") {
    uint32_t code = 77;
    status(proxy_get_status(&code, &out.data, &out.size));
    byte(' '), number(code), byte(' '), text(out.data, out.size);
  }
  IS("context") {
    pw_text which = next();
    uint32_t to = 0;
    if (pw_equal(which, "self"))
      to = id;
    else if (pw_equal(which, "root"))
      to = s ? s->root : id;
    else
      for (size_t i = 0; i < which.size; i++) to = to * 10 + (uint32_t)(which.data[i] - '0');
    byte(' '), text(which.data, which.size);
    status(proxy_set_effective_context(to));
  }
  IS("done") { status(proxy_done()); }
  IS("time") {
    uint64_t time = 0;
    status(proxy_get_current_time_nanoseconds(&time));
    word(time > 1600000000000000000u ? " now" : " not now");
  }
  IS("foreign") {
    pw_text name = next(), argument = next();
    byte(' '), text(name.data, name.size);
    status(proxy_call_foreign_function(name.data, name.size, argument.data, argument.size, &out.data, &out.size));
    byte(' '), number(out.size);
  }
  IS("call") {
    pw_text tag = next(), cluster = next();
    uint32_t timeout = count(), token = 0, trailing = count();
    pw_text body = next(), all = pairs();
    static const char trailers[] = "\1\0\0\0\5\0\0\0\1\0\0\0x-end\0" "1";
    byte(' '), text(cluster.data, cluster.size);
    status(proxy_http_call(cluster.data, cluster.size, all.data, all.size, body.data, body.size,
                           trailing ? trailers : NULL, trailing ? sizeof trailers : 0, timeout, &token));
    byte(' '), number(token);
    free(all.data);
    waits(token, id, tag);
  }
  IS("gcall") {
    pw_text tag = next(), cluster = next(), method = next();
    uint32_t timeout = count(), token = 0;
    pw_text message = next(), all = pairs();
    byte(' '), text(cluster.data, cluster.size);
    status(proxy_grpc_call(cluster.data, cluster.size, "parity.Probe", 12, method.data, method.size, all.data, all.size,
                           message.data, message.size, timeout, &token));
    byte(' '), number(token);
    free(all.data);
    *grpc_token(tag) = token;
    waits(token, id, tag);
  }
  IS("gstream") {
    pw_text tag = next(), cluster = next(), method = next();
    uint32_t token = 0;
    pw_text all = pairs();
    byte(' '), text(cluster.data, cluster.size);
    status(proxy_grpc_stream(cluster.data, cluster.size, "parity.Probe", 12, method.data, method.size, all.data,
                             all.size, &token));
    byte(' '), number(token);
    free(all.data);
    *grpc_token(tag) = token;
    waits(token, id, tag);
  }
  IS("gsend") {
    pw_text tag = next();
    uint32_t last = count();
    pw_text message = next();
    byte(' '), number(last);
    status(proxy_grpc_send(*grpc_token(tag), message.data, message.size, last));
  }
  IS("gcancel") { status(proxy_grpc_cancel(*grpc_token(next()))); }
  IS("gclose") { status(proxy_grpc_close(*grpc_token(next()))); }
  IS("dns") {
    pw_text name = next();
    uint32_t token = 0;
    byte(' '), text(name.data, name.size);
    say();
    pw_result result = envoy_resolve_dns(name.data, name.size, &token);
    word("dns"), status(result), byte(' '), number(token);
  }
  IS("pthread") {
    uint32_t left = count(), right = count();
    byte(' '), number(left), byte(' '), number(right), word(" -> "), number(pthread_equal(left, right));
  }
  IS("growth") { emscripten_notify_memory_growth(0); }
  IS("sget") {
    pw_text key = next();
    uint32_t cas = 0;
    byte(' '), text(key.data, key.size);
    status(proxy_get_shared_data(key.data, key.size, &out.data, &out.size, &cas));
    last_cas = cas;
    byte(' '), text(out.data, out.size), word(cas ? " cas" : " no cas");
  }
  IS("sset") {
    pw_text key = next(), value = next();
    uint32_t how = count();
    byte(' '), text(key.data, key.size), byte(' '), number(how);
    uint32_t cas = how == 0 ? 0 : how == 1 ? last_cas : last_cas + 1000000;
    status(proxy_set_shared_data(key.data, key.size, value.data, value.size, cas));
  }
  IS("qreg") {
    uint32_t place = count() & 7;
    pw_text name = next();
    byte(' '), text(name.data, name.size);
    status(proxy_register_shared_queue(name.data, name.size, &queues[place]));
  }
  IS("qres") {
    uint32_t place = count() & 7;
    pw_text vm = next(), name = next();
    byte(' '), text(vm.data, vm.size), byte(' '), text(name.data, name.size);
    status(proxy_resolve_shared_queue(vm.data, vm.size, name.data, name.size, &queues[place]));
  }
  IS("qput") {
    uint32_t place = count();
    pw_text value = next();
    byte(' '), number(place);
    enqueuer = id;
    status(proxy_enqueue_shared_queue(place < 8 ? queues[place] : 999999, value.data, value.size));
  }
  IS("qget") {
    uint32_t place = count();
    byte(' '), number(place);
    status(proxy_dequeue_shared_queue(place < 8 ? queues[place] : 999999, &out.data, &out.size));
    byte(' '), text(out.data, out.size);
  }
  IS("mdef") {
    uint32_t place = count() & 7, kind = count();
    pw_text name = next();
    char full[64] = "m";
    size_t size = 1;
    for (const char *c = run_name; *c && size < 40; c++) full[size++] = *c;
    full[size++] = '.';
    for (size_t i = 0; i < name.size && size < 60; i++) full[size++] = name.data[i];
    byte(' '), number(kind), byte(' '), text(name.data, name.size);
    status(proxy_define_metric(kind, full, size, &metrics[place]));
    byte(' '), number(metrics[place]);
  }
  IS("minc") {
    uint32_t place = count(), by = count();
    byte(' '), number(place), byte(' '), number(by);
    status(proxy_increment_metric(place < 8 ? metrics[place] : 999999, (int32_t)by));
  }
  IS("mrec") {
    uint32_t place = count(), value = count();
    byte(' '), number(place), byte(' '), number(value);
    status(proxy_record_metric(place < 8 ? metrics[place] : 999999, value));
  }
  IS("mget") {
    uint32_t place = count();
    uint64_t value = 77;
    byte(' '), number(place);
    status(proxy_get_metric(place < 8 ? metrics[place] : 999999, &value));
    byte(' '), number(value);
  }
  IS("tick") {
    uint32_t period = count();
    byte(' '), number(period);
    if (s && period) s->ticking = true;
    status(proxy_set_tick_period_milliseconds(period));
  }
  IS("bad") {
    uint32_t which = count(), kind = count(), how = count();
    byte(' '), number(which), byte(' '), number(kind), byte(' '), number(how);
    bad(which, kind, how);
  }
  IS("wasi") {
    uint32_t which = count(), arg = count();
    byte(' '), number(which), byte(' '), number(arg);
    wasi(which, arg);
  }
  IS("starve") { refuse_memory = 1; }
  IS("fed") { refuse_memory = 0; }
  IS("return") {
    answer = count();
    byte(' '), number(answer);
  }
  IS("trap") {
    uint32_t how = count();
    byte(' '), number(how);
    say();
    if (how == 0) __builtin_trap();
    if (how == 1) *(volatile uint32_t *)0xfffffff0u = 1;
    if (how == 2) {
      volatile uint32_t zero = 0;
      answer = 1 / zero;
    }
    wasi_proc_exit(how);
    __builtin_trap();
  }
  else word(" is no operation");
  pw_free(&out);
  say();
}

static uint32_t run_call(uint32_t id, char letter, uint8_t call, bool end, uint32_t result) {
  Slot *s = slot(id);
  answer = result;
  if (!s) return answer;
  for (size_t from = 0; from < s->size;) {
    size_t to = from;
    while (to < s->size && s->script[to] != ';') to++;
    const char *entry = s->script + from;
    from = to + 1;
    if (entry + 3 > s->script + to || entry[0] != letter) continue;
    if (entry[1] == '$' ? !end : entry[1] != '*' && entry[1] - '0' != call) continue;
    used = 0;
    cursor = entry + 3;
    limit = s->script + to;
    step(id, s);
  }
  return answer;
}

static uint32_t run(uint32_t id, char letter, bool end, uint32_t result) {
  Slot *s = slot(id);
  return s ? run_call(id, letter, ++s->calls[(int)letter], end, result) : result;
}

static void enter(const char *name, uint32_t id, uint32_t a, uint32_t b) {
  Slot *s = slot(id);
  word("== "), byte(s && s->index ? s->index : '-'), byte(' '), word(name);
  byte(' '), number(id), byte(' '), number(a), byte(' '), number(b);
  say();
}

static void read_script(uint32_t id) {
  Slot *s = slot(id);
  if (!s || s->read) return;
  char name[] = "x-probe-0";
  name[8] = s->index;
  pw_text value = {NULL, 0};
  s->read = true;
  if (proxy_get_header_map_value(PW_REQUEST_HEADERS, name, 9, &value.data, &value.size) != PW_OK) return;
  free(s->script);
  s->script = value.data;
  s->size = value.size;
}

static void read_configuration(uint32_t id) {
  Slot *s = slot(id);
  if (!s || s->script) return;
  pw_text all = pw_get_configuration();
  if (!all.size) return;
  s->index = all.data[0];
  size_t at = 1, to = 0;
  for (; at < all.size && all.data[at] != ';'; at++)
    if (to < sizeof run_name - 1) run_name[to++] = all.data[at];
  s->script = all.data + at + 1;
  s->size = all.size - at - 1;
}

// --- the callbacks ------------------------------------------------------------------------------------------------------

void proxy_on_context_create(uint32_t context, uint32_t parent) {
  if (slot(context)) return;
  Slot *s = slot(0);
  if (!s) __builtin_trap();
  memset(s, 0, sizeof *s);
  s->id = context;
  s->root = parent ? parent : context;
  Slot *root = parent ? slot(parent) : NULL;
  if (!parent) {
    read_configuration(context);
    enter("create_root", context, 0, 0);
    run(context, 'R', false, 0);
    return;
  }
  if (root) s->index = root->index;
  enter("create", context, parent, 0);
  if (root) {
    s->script = malloc(root->size);
    s->size = root->size;
    memcpy(s->script, root->script, root->size);
    run(context, 'c', false, 0);
  }
}
bool proxy_on_vm_start(uint32_t context, uint32_t size) {
  enter("vm_start", context, size, 0);
  return run(context, 'v', false, 1);
}
bool proxy_on_configure(uint32_t context, uint32_t size) {
  read_configuration(context);
  enter("configure", context, size > 0, 0);
  return run(context, 'C', false, 1);
}
#if defined(PW_ABI_0_1_0)
pw_action proxy_on_request_headers(uint32_t context, uint32_t size) {
  bool end = false;
#else
pw_action proxy_on_request_headers(uint32_t context, uint32_t size, bool end) {
#endif
  read_script(context);
  enter("request_headers", context, size, end);
  return run(context, 'h', end, 0);
}
pw_action proxy_on_request_body(uint32_t context, uint32_t size, bool end) {
  enter("request_body", context, size, end);
  return run(context, 'b', end, 0);
}
pw_action proxy_on_request_trailers(uint32_t context, uint32_t size) {
  enter("request_trailers", context, size, 0);
  return run(context, 't', true, 0);
}
#if defined(PW_ABI_0_1_0)
pw_action proxy_on_response_headers(uint32_t context, uint32_t size) {
  bool end = false;
#else
pw_action proxy_on_response_headers(uint32_t context, uint32_t size, bool end) {
#endif
  enter("response_headers", context, size, end);
  return run(context, 'H', end, 0);
}
pw_action proxy_on_response_body(uint32_t context, uint32_t size, bool end) {
  enter("response_body", context, size, end);
  return run(context, 'B', end, 0);
}
pw_action proxy_on_response_trailers(uint32_t context, uint32_t size) {
  enter("response_trailers", context, size, 0);
  return run(context, 'T', true, 0);
}
pw_action proxy_on_request_metadata(uint32_t context, uint32_t count) {
  enter("request_metadata", context, count, 0);
  return run(context, 'y', false, 0);
}
pw_action proxy_on_response_metadata(uint32_t context, uint32_t count) {
  enter("response_metadata", context, count, 0);
  return run(context, 'Y', false, 0);
}
#if defined(PROBE_TCP)
pw_action proxy_on_new_connection(uint32_t context) {
  enter("new_connection", context, 0, 0);
  return run(context, 'n', false, 0);
}
pw_action proxy_on_downstream_data(uint32_t context, uint32_t size, bool end) {
  enter("downstream_data", context, size, end);
  return run(context, 'D', end, 0);
}
pw_action proxy_on_upstream_data(uint32_t context, uint32_t size, bool end) {
  enter("upstream_data", context, size, end);
  return run(context, 'U', end, 0);
}
void proxy_on_downstream_connection_close(uint32_t context, pw_peer peer) {
  enter("downstream_close", context, peer, 0);
  run(context, 'f', true, 0);
}
void proxy_on_upstream_connection_close(uint32_t context, pw_peer peer) {
  enter("upstream_close", context, peer, 0);
  run(context, 'u', true, 0);
}
#endif
void proxy_on_http_call_response(uint32_t root, uint32_t token, uint32_t headers, uint32_t body, uint32_t trailers) {
  enter("call_response", root, token, headers);
  word("-- "), number(body), byte(' '), number(trailers);
  say();
  for (int i = 0; i < 64; i++)
    if (calls_made[i].token == token) {
      calls_made[i].token = 0;
      run_call(calls_made[i].id, 'a', (uint8_t)(calls_made[i].tag - '0'), false, 0);
      return;
    }
}
static void grpc(const char *name, char letter, uint32_t root, uint32_t token, uint32_t value) {
  enter(name, root, token, value);
  for (int i = 0; i < 64; i++)
    if (calls_made[i].token == token) {
      if (letter == 'g') calls_made[i].token = 0;
      run_call(calls_made[i].id, letter, (uint8_t)(calls_made[i].tag - '0'), false, 0);
      return;
    }
}
void proxy_on_grpc_receive_initial_metadata(uint32_t root, uint32_t token, uint32_t count) {
  grpc("grpc_initial", 'i', root, token, count);
}
void proxy_on_grpc_receive(uint32_t root, uint32_t token, uint32_t size) { grpc("grpc_message", 'm', root, token, size); }
void proxy_on_grpc_receive_trailing_metadata(uint32_t root, uint32_t token, uint32_t count) {
  grpc("grpc_trailing", 'e', root, token, count);
}
void proxy_on_grpc_close(uint32_t root, uint32_t token, uint32_t code) { grpc("grpc_close", 'g', root, token, code); }
__attribute__((export_name("envoy_on_resolve_dns"))) void envoy_on_resolve_dns(uint32_t root, uint32_t token, uint32_t size) {
  char *bytes = NULL;
  size_t length = 0;
  enter("resolve_dns", root, token, size);
  status(proxy_get_buffer_bytes(8, 0, size, &bytes, &length)), byte(' ');
  text(bytes, length);
  say();
  free(bytes);
}
void proxy_on_tick(uint32_t root) {
  proxy_set_tick_period_milliseconds(0);
  enter("tick", root, 0, 0);
  for (int i = 0; i < 64; i++)
    if (slots[i].id && slots[i].ticking && slots[i].root == root) {
      slots[i].ticking = false;
      run(slots[i].id, 'k', false, 0);
    }
}
void proxy_on_queue_ready(uint32_t root, uint32_t queue) {
  uint32_t place = 0;
  while (place < 8 && queues[place] != queue) place++;
  enter("queue_ready", root, place, 0);
  run(enqueuer, 'q', false, 0);
}
// A root that ends does so some time after its proxy went on to another: it says nothing.
static bool is_root(uint32_t context) {
  Slot *s = slot(context);
  return s && s->root == context;
}
void proxy_on_log(uint32_t context) {
  if (is_root(context)) return;
  read_script(context);
  enter("log", context, 0, 0);
  run(context, 'l', false, 0);
}
bool proxy_on_done(uint32_t context) {
  if (is_root(context)) return true;
  enter("done", context, 0, 0);
  return run(context, 'd', false, 1);
}
void proxy_on_delete(uint32_t context) {
  if (is_root(context)) return;
  enter("delete", context, 0, 0);
  run(context, 'x', false, 0);
  Slot *s = slot(context);
  if (!s) return;
  free(s->script);
  memset(s, 0, sizeof *s);
}
