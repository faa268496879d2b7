// A filter whose configuration says what it does: lines of PHASE COMMAND ARGUMENTS. Each step is logged.
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned char u8;
#define EXPORT(name) __attribute__((export_name(#name))) name
#define IMPORT(name) __attribute__((import_module("env"), import_name(#name))) name

u32 IMPORT(proxy_log)(u32 level, const char *text, u32 len);
u32 IMPORT(proxy_get_header_map_value)(u32 map, const char *key, u32 len, char **ret, u32 *ret_len);
u32 IMPORT(proxy_add_header_map_value)(u32 map, const char *key, u32 len, const char *value, u32 value_len);
u32 IMPORT(proxy_replace_header_map_value)(u32 map, const char *key, u32 len, const char *value, u32 value_len);
u32 IMPORT(proxy_remove_header_map_value)(u32 map, const char *key, u32 len);
u32 IMPORT(proxy_get_header_map_pairs)(u32 map, char **ret, u32 *ret_len);
u32 IMPORT(proxy_set_header_map_pairs)(u32 map, const char *pairs, u32 len);
u32 IMPORT(proxy_get_header_map_size)(u32 map, u32 *ret);
u32 IMPORT(proxy_get_buffer_bytes)(u32 kind, u32 start, u32 len, char **ret, u32 *ret_len);
u32 IMPORT(proxy_get_buffer_status)(u32 kind, u32 *ret_len, u32 *ret_flags);
u32 IMPORT(proxy_set_buffer_bytes)(u32 kind, u32 start, u32 len, const char *value, u32 value_len);
u32 IMPORT(proxy_send_local_response)(u32 code, const char *details, u32 details_len, const char *body,
                                      u32 body_len, const char *pairs, u32 pairs_len, u32 grpc);
u32 IMPORT(proxy_get_property)(const char *path, u32 len, char **ret, u32 *ret_len);
u32 IMPORT(proxy_set_property)(const char *path, u32 len, const char *value, u32 value_len);
u32 IMPORT(proxy_set_effective_context)(u32 id);
u32 IMPORT(proxy_done)(void);
u32 IMPORT(proxy_define_metric)(u32 type, const char *name, u32 len, u32 *ret);
u32 IMPORT(proxy_increment_metric)(u32 id, long long by);
u32 IMPORT(proxy_record_metric)(u32 id, u64 value);
u32 IMPORT(proxy_get_metric)(u32 id, u64 *ret);
u32 IMPORT(proxy_get_shared_data)(const char *key, u32 len, char **ret, u32 *ret_len, u32 *cas);
u32 IMPORT(proxy_set_shared_data)(const char *key, u32 len, const char *value, u32 value_len, u32 cas);
u32 IMPORT(proxy_register_shared_queue)(const char *name, u32 len, u32 *ret);
u32 IMPORT(proxy_resolve_shared_queue)(const char *vm, u32 vm_len, const char *name, u32 len, u32 *ret);
u32 IMPORT(proxy_enqueue_shared_queue)(u32 token, const char *data, u32 len);
u32 IMPORT(proxy_dequeue_shared_queue)(u32 token, char **ret, u32 *ret_len);
u32 IMPORT(proxy_set_tick_period_milliseconds)(u32 period);
u32 IMPORT(proxy_get_current_time_nanoseconds)(u64 *ret);
u32 IMPORT(proxy_http_call)(const char *cluster, u32 cluster_len, const char *pairs, u32 pairs_len, const char *body,
                            u32 body_len, const char *trailers, u32 trailers_len, u32 timeout, u32 *ret);
u32 IMPORT(proxy_grpc_call)(const char *cluster, u32 cluster_len, const char *service, u32 service_len,
                            const char *method, u32 method_len, const char *pairs, u32 pairs_len, const char *message,
                            u32 message_len, u32 timeout, u32 *ret);
u32 IMPORT(proxy_grpc_stream)(const char *cluster, u32 cluster_len, const char *service, u32 service_len,
                              const char *method, u32 method_len, const char *pairs, u32 pairs_len, u32 *ret);
u32 IMPORT(proxy_grpc_send)(u32 token, const char *message, u32 len, u32 end_of_stream);
u32 IMPORT(proxy_grpc_cancel)(u32 token);
u32 IMPORT(proxy_grpc_close)(u32 token);
u32 IMPORT(envoy_resolve_dns)(const char *name, u32 len, u32 *ret);
u32 IMPORT(proxy_get_status)(u32 *code, char **ret, u32 *ret_len);
u32 IMPORT(proxy_call_foreign_function)(const char *name, u32 len, const char *data, u32 data_len, char **ret,
                                        u32 *ret_len);
#ifdef ABI_0_1_0
u32 IMPORT(proxy_get_configuration)(char **ret, u32 *ret_len);
u32 IMPORT(proxy_continue_request)(void);
u32 IMPORT(proxy_continue_response)(void);
u32 IMPORT(proxy_clear_route_cache)(void);
#else
u32 IMPORT(proxy_continue_stream)(u32 stream);
u32 IMPORT(proxy_close_stream)(u32 stream);
#endif

extern u8 __heap_base;
static u32 heap;
void *EXPORT(malloc)(u32 size) {
  if (!heap) heap = (u32)&__heap_base;
  u32 at = (heap + 15) & ~15u;
  heap = at + size;
  while (heap > (u32)__builtin_wasm_memory_size(0) << 16)
    if (__builtin_wasm_memory_grow(0, 1) == (u32)-1) __builtin_trap();
  return (void *)at;
}
void *memcpy(void *to, const void *from, u32 n) {
  for (u32 i = 0; i < n; i++) ((u8 *)to)[i] = ((u8 *)from)[i];
  return to;
}

static const char *script;
static u32 script_len, answer;
static char line[65536];
static u32 at;
static void text(const char *s, u32 n) {
  for (u32 i = 0; i < n && at < sizeof line; i++) line[at++] = s[i] ? s[i] : '|';
}
static void word(const char *s) { u32 n = 0; while (s[n]) n++; text(s, n); }
static void number(u64 v) {
  char d[20]; u32 n = 0;
  do d[n++] = '0' + v % 10; while (v /= 10);
  while (n) text(&d[--n], 1);
}
static void say(void) { proxy_log(2, line, at); at = 0; }
static void status(u32 s) { word(" -> "); number(s); }

typedef struct { const char *s; u32 n; } Str;
static const char *pos, *end;
static Str next(void) {
  while (pos < end && *pos == ' ') pos++;
  Str w = {pos, 0};
  while (pos < end && *pos != ' ') pos++, w.n++;
  return w;
}
static Str rest(void) {
  while (pos < end && *pos == ' ') pos++;
  Str w = {pos, (u32)(end - pos)};
  return w;
}
static int is(Str w, const char *s) {
  u32 i = 0;
  for (; i < w.n; i++) if (s[i] != w.s[i]) return 0;
  return s[i] == 0;
}
static u32 num(Str w) {
  u32 v = 0, minus = w.n && w.s[0] == '-';
  for (u32 i = minus; i < w.n; i++) v = v * 10 + w.s[i] - '0';
  return minus ? -v : v;
}
static volatile u32 sink;
static u32 deep(u32 n) { volatile u8 big[1000]; big[n % 1000] = 1; return deep(n + 1) + big[0]; }

static void pairs_of(u32 map) {
  char *p = 0; u32 n = 0, s = proxy_get_header_map_pairs(map, &p, &n);
  word("pairs"); status(s);
  if (n) {
    u32 count = *(u32 *)p, o = 4 + 8 * count;
    for (u32 i = 0; i < count; i++) {
      u32 kl = *(u32 *)(p + 4 + 8 * i), vl = *(u32 *)(p + 8 + 8 * i);
      Str name = {p + o, kl};
      word(" "); text(p + o, kl); word("=");
      if (is(name, "x-envoy-upstream-service-time")) word("?"); else text(p + o + kl + 1, vl);
      o += kl + vl + 2;
    }
  }
  say();
}

static u32 stream, token;
static char head[4096];
// Pairs of words such as :method=GET;:path=/ in the form of the ABI; a word - has none.
static u32 pairs_from(Str w, char *out) {
  u32 count = 0;
  if (is(w, "-")) return 0;
  for (u32 i = 0; i <= w.n; i++) if (i == w.n || w.s[i] == ';') count++;
  u32 *lengths = (u32 *)out, o = 4 + 8 * count, l = 1;
  lengths[0] = count;
  for (u32 i = 0, from = 0; i <= w.n; i++) {
    int last = i == w.n || w.s[i] == ';';
    if (!last && (w.s[i] != '=' || !(l & 1))) continue;
    lengths[l++] = i - from;
    memcpy(out + o, w.s + from, i - from);
    o += i - from;
    out[o++] = 0;
    from = i + 1;
  }
  return o;
}
// A cluster by name, or as a GrpcService message: %name:authority
static Str service_of(Str w) {
  static char out[256];
  if (!w.n || w.s[0] != '%') return w;
  u32 name = 1, o = 2;
  while (name < w.n && w.s[name] != ':') name++;
  out[o++] = 10; out[o++] = name - 1; memcpy(out + o, w.s + 1, name - 1); o += name - 1;
  if (name < w.n) {
    u32 rest = w.n - name - 1;
    out[o++] = 18; out[o++] = rest; memcpy(out + o, w.s + name + 1, rest); o += rest;
  }
  out[0] = 10; out[1] = o - 2;
  memcpy(out + o, "\x2a\x0a\x0a\x03x-m\x12\x03val", 12); // initial_metadata x-m: val
  return (Str){out, o + 12};
}
static void step(Str c, const char *phase, u32 id) {
  char *p = 0; u32 n = 0, s, made = 0;
  u64 big = 0;
  if (is(c, "add") || is(c, "set")) {
    u32 map = num(next()); Str k = next(), v = rest();
    s = is(c, "add") ? proxy_add_header_map_value(map, k.s, k.n, v.s, v.n)
                     : proxy_replace_header_map_value(map, k.s, k.n, v.s, v.n);
    text(c.s, c.n); word(" "); text(k.s, k.n); status(s); say();
  } else if (is(c, "del")) {
    u32 map = num(next()); Str k = next();
    s = proxy_remove_header_map_value(map, k.s, k.n);
    word("del "); text(k.s, k.n); status(s); say();
  } else if (is(c, "get")) {
    u32 map = num(next()); Str k = next();
    s = proxy_get_header_map_value(map, k.s, k.n, &p, &n);
    word("get "); text(k.s, k.n); status(s); word(" "); text(p, n); say();
  } else if (is(c, "pairs")) {
    pairs_of(num(next()));
  } else if (is(c, "setpairs")) {
    u32 map = num(next()); Str raw = rest();
    s = proxy_set_header_map_pairs(map, raw.s, raw.n);
    word("setpairs"); status(s); say();
  } else if (is(c, "size")) {
    s = proxy_get_header_map_size(num(next()), &n);
    word("size"); status(s); word(" "); number(n); say();
  } else if (is(c, "body")) {
    u32 kind = num(next()), start = num(next()), len = num(next());
    s = proxy_get_buffer_bytes(kind, start, len, &p, &n);
    word("body"); status(s); word(" "); text(p, n < 2000 ? n : 2000); say();
  } else if (is(c, "bodysize")) {
    u32 flags = 7;
    s = proxy_get_buffer_status(num(next()), &n, &flags);
    word("bodysize"); status(s); word(" "); number(n); word(" "); number(flags); say();
  } else if (is(c, "putbody")) {
    u32 kind = num(next()), start = num(next()), len = num(next()); Str v = rest();
    s = proxy_set_buffer_bytes(kind, start, len, v.s, v.n);
    word("putbody"); status(s); say();
  } else if (is(c, "reply")) {
    u32 code = num(next()), grpc = num(next()); Str d = next(), v = rest();
    char head[] = "\1\0\0\0\6\0\0\0\3\0\0\0X-From\0you";
    s = proxy_send_local_response(code, d.s, d.n, v.s, v.n, head, sizeof head, grpc);
    word("reply"); status(s); say();
  } else if (is(c, "prop")) {
    Str v = rest();
    char path[256];
    for (u32 i = 0; i < v.n; i++) path[i] = v.s[i] == '.' ? 0 : v.s[i];
    s = proxy_get_property(path, v.n, &p, &n);
    word("prop "); text(v.s, v.n); status(s); word(" ");
    int plain = 1;
    for (u32 i = 0; i < n; i++) if ((u8)p[i] < 32 || (u8)p[i] > 126) plain = 0;
    if (plain) text(p, n);
    else if (n == 8) number(*(u64 *)p);
    else { word("bytes "); number(n); }
    say();
  } else if (is(c, "propsize")) { // a property whose value differs from run to run
    Str v = rest();
    char path[256];
    for (u32 i = 0; i < v.n; i++) path[i] = v.s[i] == '.' ? 0 : v.s[i];
    s = proxy_get_property(path, v.n, &p, &n);
    word("propsize "); text(v.s, v.n); status(s); word(" "); number(n == 8 ? 8 : n > 0); say();
  } else if (is(c, "setprop")) {
    Str k = next(), v = rest();
    s = proxy_set_property(k.s, k.n, v.s, v.n);
    word("setprop"); status(s); say();
#ifdef ABI_0_1_0
  } else if (is(c, "continue")) {
    s = num(next()) ? proxy_continue_response() : proxy_continue_request();
    word("continue"); status(s); say();
#else
  } else if (is(c, "continue")) {
    s = proxy_continue_stream(num(next())); word("continue"); status(s); say();
  } else if (is(c, "close")) {
    s = proxy_close_stream(num(next())); word("close"); status(s); say();
#endif
  } else if (is(c, "define")) {
    u32 kind = num(next()); Str k = next();
    s = proxy_define_metric(kind, k.s, k.n, &made);
    word("define"); status(s); word(" "); number(made); say();
  } else if (is(c, "increment")) {
    u32 metric = num(next()); s = proxy_increment_metric(metric, (int)num(next()));
    word("increment"); status(s); say();
  } else if (is(c, "record")) {
    u32 metric = num(next()); s = proxy_record_metric(metric, num(next()));
    word("record"); status(s); say();
  } else if (is(c, "metric")) {
    s = proxy_get_metric(num(next()), &big);
    word("metric"); status(s); word(" "); number(big); say();
  } else if (is(c, "getdata")) {
    Str k = next();
    s = proxy_get_shared_data(k.s, k.n, &p, &n, &made);
    word("getdata"); status(s); word(" "); text(p, n); word(" "); number(made); say();
  } else if (is(c, "setdata")) {
    Str k = next(); u32 cas = num(next()); Str v = rest();
    s = proxy_set_shared_data(k.s, k.n, v.s, v.n, cas);
    word("setdata"); status(s); say();
  } else if (is(c, "register")) {
    Str k = next();
    s = proxy_register_shared_queue(k.s, k.n, &made);
    word("register"); status(s); word(" "); number(made); say();
  } else if (is(c, "resolve")) {
    Str v = next(), k = next();
    s = proxy_resolve_shared_queue(v.s, is(v, "-") ? 0 : v.n, k.s, k.n, &made);
    word("resolve"); status(s); word(" "); number(made); say();
  } else if (is(c, "enqueue")) {
    u32 queue = num(next()); Str v = rest();
    s = proxy_enqueue_shared_queue(queue, v.s, v.n);
    word("enqueue"); status(s); say();
  } else if (is(c, "dequeue")) {
    s = proxy_dequeue_shared_queue(num(next()), &p, &n);
    word("dequeue"); status(s); word(" "); text(p, n); say();
  } else if (is(c, "tick")) {
    s = proxy_set_tick_period_milliseconds(num(next())); word("tick"); status(s); say();
  } else if (is(c, "time")) {
    proxy_get_current_time_nanoseconds(&big); word("time "); number(big / 1000000); say();
  } else if (is(c, "call")) { // cluster timeout headers trailers body
    static char tail[4096];
    Str cluster = next(); u32 timeout = num(next());
    u32 size = pairs_from(next(), head), end_size = pairs_from(next(), tail); Str v = rest();
    stream = id;
    s = proxy_http_call(cluster.s, cluster.n, head, size, v.s, v.n, tail, end_size, timeout, &made);
    token = made; word("call"); status(s); word(" "); number(made); say();
  } else if (is(c, "grpc")) { // cluster timeout headers message
    Str cluster = service_of(next()); u32 timeout = num(next());
    u32 size = pairs_from(next(), head); Str v = rest();
    stream = id; made = 77;
    s = proxy_grpc_call(cluster.s, cluster.n, "demo.Auth", 9, "Check", 5, head, size, v.s, v.n, timeout, &made);
    token = made; word("grpc"); status(s); word(" "); number(made); say();
  } else if (is(c, "grpcstream")) { // cluster headers
    Str cluster = service_of(next()); u32 size = pairs_from(next(), head);
    stream = id; made = 77;
    s = proxy_grpc_stream(cluster.s, cluster.n, "demo.Auth", 9, "Watch", 5, head, size, &made);
    token = made; word("grpcstream"); status(s); word(" "); number(made); say();
  } else if (is(c, "grpcsend")) { // token (0 for the newest) end message
    u32 t = num(next()), last = num(next()); Str v = rest();
    s = proxy_grpc_send(t ? t : token, v.s, v.n, last); word("grpcsend"); status(s); say();
  } else if (is(c, "grpccancel")) {
    u32 t = num(next()); s = proxy_grpc_cancel(t ? t : token); word("grpccancel"); status(s); say();
  } else if (is(c, "grpcclose")) {
    u32 t = num(next()); s = proxy_grpc_close(t ? t : token); word("grpcclose"); status(s); say();
  } else if (is(c, "dns")) {
    Str k = next(); stream = id;
    s = envoy_resolve_dns(k.s, k.n, &made); word("dns"); status(s); word(" "); number(made); say();
  } else if (is(c, "stream")) { // act for the stream that called last
    s = proxy_set_effective_context(stream); word("stream"); status(s); say();
  } else if (is(c, "status")) {
    s = proxy_get_status(&made, &p, &n);
    word("status"); status(s); word(" "); number(made); word(" "); text(p, n); say();
  } else if (is(c, "foreign")) {
    Str k = next(), v = rest();
    s = proxy_call_foreign_function(k.s, k.n, v.s, v.n, &p, &n);
    word("foreign"); status(s); word(" "); text(p, n); say();
  } else if (is(c, "hexforeign")) { // name, and the argument in hex; so is the result
    static char raw[8192];
    Str k = next(), v = next();
    for (u32 i = 0; i + 1 < v.n; i += 2) {
      u32 high = v.s[i] > '9' ? v.s[i] - 'a' + 10 : v.s[i] - '0', low = v.s[i + 1] > '9' ? v.s[i + 1] - 'a' + 10 : v.s[i + 1] - '0';
      raw[i / 2] = high << 4 | low;
    }
    s = proxy_call_foreign_function(k.s, k.n, raw, v.n / 2, &p, &n);
    word("hexforeign"); status(s); word(" ");
    for (u32 i = 0; i < n; i++) text(&"0123456789abcdef"[(u8)p[i] >> 4], 1), text(&"0123456789abcdef"[p[i] & 15], 1);
    say();
  } else if (is(c, "cel")) { // make an expression, evaluate it, delete it
    Str v = rest(); char *q = 0; u32 m = 0;
    s = proxy_call_foreign_function("expr_create", 11, v.s, v.n, &p, &n);
    word("cel"); status(s);
    if (!s) {
      s = proxy_call_foreign_function("expr_evaluate", 13, p, n, &q, &m);
      status(s); word(" ");
      for (u32 i = 0; i < m; i++) text(&"0123456789abcdef"[(u8)q[i] >> 4], 1), text(&"0123456789abcdef"[q[i] & 15], 1);
      s = proxy_call_foreign_function("expr_delete", 11, p, n, &q, &m);
    }
    say();
  } else if (is(c, "state")) { // set_envoy_filter_state with a path and a value
    Str k = next(), v = rest();
    u32 o = 0;
    head[o++] = 0x0a; head[o++] = k.n; memcpy(head + o, k.s, k.n); o += k.n;
    head[o++] = 0x12; head[o++] = v.n; memcpy(head + o, v.s, v.n); o += v.n;
    s = proxy_call_foreign_function("set_envoy_filter_state", 22, head, o, &p, &n);
    word("state "); text(k.s, k.n); status(s);
    o = 13 + k.n;
    memcpy(head, "filter_state", 13); memcpy(head + 13, k.s, k.n);
    p = 0; n = 0;
    s = proxy_get_property(head, o, &p, &n);
    status(s); word(" "); text(p, n); say();
  } else if (is(c, "roundtrip")) {
    Str v = rest(); char *q = 0; u32 m = 0;
    s = proxy_call_foreign_function("compress", 8, v.s, v.n, &p, &n);
    word("compress"); status(s);
    s = proxy_call_foreign_function("uncompress", 10, p, n, &q, &m);
    word(" uncompress"); status(s); word(" "); text(q, m); say();
  } else if (is(c, "context")) {
    s = proxy_set_effective_context(num(next())); word("context"); status(s); say();
  } else if (is(c, "done")) {
    s = proxy_done(); word("done"); status(s); say();
  } else if (is(c, "log")) {
    u32 level = num(next()); Str v = rest();
    s = proxy_log(level, v.s, v.n);
    if (s) { word("log"); status(s); say(); }
  } else if (is(c, "refuseif")) { // return 0 where shared data of that name is there
    Str k = next();
    if (proxy_get_shared_data(k.s, k.n, &p, &n, &made) == 0) answer = 0;
  } else if (is(c, "trapif")) { // trap where shared data of that name is there
    Str k = next();
    if (proxy_get_shared_data(k.s, k.n, &p, &n, &made) == 0) __builtin_trap();
  } else if (is(c, "return")) {
    answer = num(next());
  } else if (is(c, "trap")) {
    __builtin_trap();
  } else if (is(c, "spin")) {
    for (;;) sink++;
  } else if (is(c, "logspin")) {
    for (;;) proxy_log(2, "flood flood flood flood", 23);
  } else if (is(c, "flood")) {
    for (u32 i = num(next()); i; i--) proxy_log(2, "flood flood flood flood", 23);
  } else if (is(c, "bomb")) {
    for (;;) { u8 *b = malloc(1 << 20); b[0] = 1; }
  } else if (is(c, "recurse")) {
    sink = deep(0);
  } else if (is(c, "outside")) {
    sink = *(volatile u32 *)0xfffffff0;
  } else if (is(c, "divide")) {
    volatile u32 zero = 0; sink = 7 / zero;
  } else {
    word("unknown command "); text(c.s, c.n); say();
  }
  (void)phase; (void)id;
}

static u32 run(const char *phase, u32 id, u32 result) {
  answer = result;
  for (const char *p = script, *stop = script + script_len; p < stop;) {
    const char *eol = p;
    while (eol < stop && *eol != '\n') eol++;
    pos = p; end = eol;
    Str w = next();
    if (is(w, phase)) { Str c = next(); if (c.n) step(c, phase, id); }
    p = eol + 1;
  }
  return answer;
}
static void enter(const char *phase, u32 a, u32 b, u32 c) {
  word(phase); word(" "); number(a); word(" "); number(b); word(" "); number(c); say();
}
static void load(void) {
  char *p = 0; u32 n = 0;
#ifdef ABI_0_1_0
  proxy_get_configuration(&p, &n);
#else
  proxy_get_buffer_bytes(7, 0, 1 << 20, &p, &n);
#endif
  script = p; script_len = n;
}
#ifdef ABI_0_1_0
void EXPORT(proxy_abi_version_0_1_0)(void) {}
#define THIRD
#define END 9
#else
void EXPORT(proxy_abi_version_0_2_1)(void) {}
#define THIRD , u32 end_of_stream
#define END end_of_stream
#endif
void EXPORT(proxy_on_context_create)(u32 id, u32 parent) {
  if (!script) load();
  enter("context_create", id, parent, 0);
  run(parent ? "create" : "create_root", id, 0);
}
u32 EXPORT(proxy_on_vm_start)(u32 id, u32 size) { enter("vm_start", id, size, 0); return run("vm_start", id, 1); }
u32 EXPORT(proxy_on_configure)(u32 id, u32 size) {
  load(); enter("configure", id, size > 0, 0); return run("configure", id, 1);
}
u32 EXPORT(proxy_on_request_headers)(u32 id, u32 n THIRD) {
  enter("request_headers", id, n, END); return run("request_headers", id, 0);
}
u32 EXPORT(proxy_on_request_body)(u32 id, u32 n, u32 e) {
  enter("request_body", id, n, e); u32 r = run("request_body", id, 0); return e ? run("request_end", id, r) : r;
}
u32 EXPORT(proxy_on_request_trailers)(u32 id, u32 n) {
  enter("request_trailers", id, n, 0); return run("request_trailers", id, 0);
}
u32 EXPORT(proxy_on_response_headers)(u32 id, u32 n THIRD) {
  enter("response_headers", id, n, END); return run("response_headers", id, 0);
}
u32 EXPORT(proxy_on_response_body)(u32 id, u32 n, u32 e) {
  enter("response_body", id, n, e); u32 r = run("response_body", id, 0); return e ? run("response_end", id, r) : r;
}
u32 EXPORT(proxy_on_response_trailers)(u32 id, u32 n) {
  enter("response_trailers", id, n, 0); return run("response_trailers", id, 0);
}
u32 EXPORT(proxy_on_new_connection)(u32 id) { enter("connection", id, 0, 0); return run("connection", id, 0); }
u32 EXPORT(proxy_on_downstream_data)(u32 id, u32 n, u32 e) {
  enter("downstream", id, n, e); u32 r = run("downstream", id, 0); return e ? run("downstream_end", id, r) : r;
}
u32 EXPORT(proxy_on_upstream_data)(u32 id, u32 n, u32 e) {
  enter("upstream", id, n, e); u32 r = run("upstream", id, 0); return e ? run("upstream_end", id, r) : r;
}
void EXPORT(proxy_on_downstream_connection_close)(u32 id, u32 peer) {
  enter("downstream_close", id, peer, 0); run("downstream_close", id, 0);
}
void EXPORT(proxy_on_upstream_connection_close)(u32 id, u32 peer) {
  enter("upstream_close", id, peer, 0); run("upstream_close", id, 0);
}
void EXPORT(proxy_on_tick)(u32 id) { enter("tick", id, 0, 0); run("on_tick", id, 0); }
void EXPORT(proxy_on_queue_ready)(u32 id, u32 queue) { enter("queue", id, queue, 0); run("on_queue", id, 0); }
void EXPORT(proxy_on_http_call_response)(u32 id, u32 t, u32 headers, u32 size, u32 trailers) {
  word("called "); number(id); word(" "); number(t); word(" "); number(headers); word(" "); number(size); word(" ");
  number(trailers); say(); run("on_call", id, 0);
}
static void told(const char *what, const char *phase, u32 id, u32 t, u32 n) {
  word(what); word(" "); number(id); word(" "); number(t); word(" "); number(n); say(); run(phase, id, 0);
}
void EXPORT(proxy_on_grpc_receive_initial_metadata)(u32 id, u32 t, u32 n) { told("initial", "on_initial", id, t, n); }
void EXPORT(proxy_on_grpc_receive)(u32 id, u32 t, u32 n) { told("received", "on_receive", id, t, n); }
void EXPORT(proxy_on_grpc_receive_trailing_metadata)(u32 id, u32 t, u32 n) { told("trailing", "on_trailing", id, t, n); }
void EXPORT(proxy_on_grpc_close)(u32 id, u32 t, u32 code) { told("closed", "on_close", id, t, code); }
void EXPORT(envoy_on_resolve_dns)(u32 id, u32 t, u32 n) { told("resolved", "on_dns", id, t, n); }
u32 EXPORT(proxy_on_done)(u32 id) { enter("done", id, 0, 0); return run("done", id, 1); }
void EXPORT(proxy_on_log)(u32 id) { enter("log", id, 0, 0); run("log", id, 0); }
void EXPORT(proxy_on_delete)(u32 id) { enter("delete", id, 0, 0); run("delete", id, 0); }
