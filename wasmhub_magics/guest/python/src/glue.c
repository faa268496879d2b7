// Between the proxy and MicroPython: what MicroPython imports, and what the proxy calls.
//
// MicroPython's WebAssembly build expects a JavaScript host. Its bridge to JavaScript serves us as the bridge
// to the proxy: `import js` gives an object whose attributes are the host functions by name, and a
// call of one comes to `call` below with its arguments as (kind, length, pointer) triples.
//
// This is linked behind MicroPython's static data (merge.py moves the start of the heap), so that both
// share one memory; `area` is where a filter's source lies when its module is instantiated.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define NULL ((void *)0)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FROM(module, name) __attribute__((import_module(#module), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name), used))

// ---- MicroPython

enum { // of values that come from MicroPython
    MP_EXCEPTION = -1,
    MP_NONE = 1,
    MP_BOOL = 2,
    MP_INT = 3,
    MP_STR = 5,
    MP_CALLABLE = 6,
};
enum { // of values that go to MicroPython
    JS_UNDEFINED = 0,
    JS_NULL = 1,
    JS_INTEGER = 3,
    JS_STRING = 5, // MicroPython frees its bytes
    JS_EXISTING = 6,
    JS_OBJECT = 7,
};
typedef struct {
    int kind;
    u32 value; // of a string: its length
    u8 *bytes;
} Value;

FROM(mp, malloc) void *malloc(u32 size);
FROM(mp, free) void free(void *bytes);
FROM(mp, __wasm_call_ctors) void mp_constructors(void);
FROM(mp, emscripten_stack_init) void mp_stack_init(void);
FROM(mp, mp_js_init) void mp_js_init(u32 pystack_words, u32 heap_bytes);
FROM(mp, proxy_c_init) void proxy_c_init(void);
FROM(mp, mp_js_do_exec) void mp_js_do_exec(const u8 *source, u32 length, Value *out);
FROM(mp, proxy_c_to_js_call) void mp_call(u32 function, u32 count, Value *arguments, Value *out);

// ---- the proxy

#define HOST(name, ...) FROM(env, name) u32 name(__VA_ARGS__)
#define RANGE u32, u32
HOST(proxy_log, u32 level, const u8 *text, u32 length);
HOST(proxy_get_log_level, u32 *);
HOST(proxy_get_status, u32 *, u32 *, u32 *);
HOST(proxy_get_property, RANGE, u32 *, u32 *);
HOST(proxy_set_property, RANGE, RANGE);
HOST(proxy_send_local_response, u32, RANGE, RANGE, RANGE, u32);
HOST(proxy_get_header_map_value, u32, RANGE, u32 *, u32 *);
HOST(proxy_add_header_map_value, u32, RANGE, RANGE);
HOST(proxy_replace_header_map_value, u32, RANGE, RANGE);
HOST(proxy_remove_header_map_value, u32, RANGE);
HOST(proxy_get_header_map_pairs, u32, u32 *, u32 *);
HOST(proxy_set_header_map_pairs, u32, RANGE);
HOST(proxy_get_buffer_bytes, u32, u32, u32, u32 *, u32 *);
HOST(proxy_set_buffer_bytes, u32, u32, u32, RANGE);
HOST(proxy_http_call, RANGE, RANGE, RANGE, RANGE, u32, u32 *);
HOST(proxy_grpc_call, RANGE, RANGE, RANGE, RANGE, RANGE, u32, u32 *);
HOST(proxy_grpc_stream, RANGE, RANGE, RANGE, RANGE, u32 *);
HOST(proxy_grpc_send, u32, RANGE, u32);
HOST(proxy_grpc_cancel, u32);
HOST(proxy_grpc_close, u32);
HOST(proxy_get_shared_data, RANGE, u32 *, u32 *, u32 *);
HOST(proxy_set_shared_data, RANGE, RANGE, u32);
HOST(proxy_register_shared_queue, RANGE, u32 *);
HOST(proxy_resolve_shared_queue, RANGE, RANGE, u32 *);
HOST(proxy_enqueue_shared_queue, u32, RANGE);
HOST(proxy_dequeue_shared_queue, u32, u32 *, u32 *);
HOST(proxy_define_metric, u32, RANGE, u32 *);
HOST(proxy_increment_metric, u32, u64);
HOST(proxy_record_metric, u32, u64);
HOST(proxy_get_metric, u32, u64 *);
HOST(proxy_set_tick_period_milliseconds, u32);
HOST(proxy_get_current_time_nanoseconds, u64 *);
HOST(proxy_set_effective_context, u32);
HOST(proxy_done, void);
HOST(proxy_call_foreign_function, RANGE, RANGE, u32 *, u32 *);
HOST(proxy_continue_stream, u32);
HOST(proxy_close_stream, u32);
FROM(wasi_snapshot_preview1, random_get) u32 random_get(void *bytes, u32 length);

enum { LOG_INFO = 2, LOG_ERROR = 4 };
enum { OK = 0, NOT_FOUND = 1, BAD_ARGUMENT = 2, BAD_HEADER = 100 }; // the last is ours: see has_line_break

// ---- small things

static u32 length_of(const char *text) {
    u32 length = 0;
    while (text[length])
        length++;
    return length;
}

static int same(const char *one, const u8 *other, u32 length) {
    for (u32 i = 0; i < length; i++)
        if ((u8)one[i] != other[i] || !one[i])
            return 0;
    return !one[length];
}

static void say(u32 level, const char *text) {
    proxy_log(level, (const u8 *)text, length_of(text));
}

static _Noreturn void trap(const char *why) {
    say(LOG_ERROR, why);
    __builtin_trap();
}

// ---- what a host function gave: bytes that are waiting to be taken

static struct {
    u8 *bytes;
    u32 length;
    u32 at;    // the next string of a list of pairs
    u32 index; // its number
    u32 extra; // a second result, such as a compare-and-swap number
} given;

static void give(u8 *bytes, u32 length) {
    free(given.bytes);
    given.bytes = bytes;
    given.length = length;
    given.at = given.index = 0;
}

// ---- text: a byte that is not UTF-8 becomes a surrogate (U+DC80 and up) and back, as in Python's os.fsdecode

static u8 *allocate(u32 size) {
    u8 *bytes = size ? malloc(size) : NULL;
    if (size && !bytes)
        trap("out of memory");
    return bytes;
}

// The length of the character that starts here; 0 where none does.
static u32 character(const u8 *at, u32 left) {
    u8 first = at[0];
    if (first < 0x80)
        return 1;
    u32 size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || size > left)
        return 0;
    for (u32 i = 1; i < size; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    int too_low = (first == 0xE0 && at[1] < 0xA0) || (first == 0xF0 && at[1] < 0x90);
    int too_high = (first == 0xED && at[1] > 0x9F) || (first == 0xF4 && at[1] > 0x8F);
    return too_low || too_high ? 0 : size;
}

// Give bytes of ours to Python as a str; MicroPython frees them.
static void hand_over(Value *out, u8 *bytes, u32 length) {
    u32 bad = 0;
    for (u32 i = 0, size; i < length; i += size ? size : 1) {
        size = character(bytes + i, length - i);
        bad += !size;
    }
    if (bad) {
        u8 *escaped = allocate(length + 2 * bad), *to = escaped;
        for (u32 i = 0, size; i < length; i += size ? size : 1) {
            size = character(bytes + i, length - i);
            for (u32 k = 0; k < size; k++)
                *to++ = bytes[i + k];
            if (!size) {
                *to++ = 0xED;
                *to++ = 0xB0 | bytes[i] >> 6;
                *to++ = 0x80 | (bytes[i] & 0x3F);
            }
        }
        free(bytes);
        bytes = escaped;
        length += 2 * bad;
    }
    out->kind = JS_STRING;
    out->value = length;
    out->bytes = bytes;
}

static void return_string(Value *out, const u8 *bytes, u32 length) {
    u8 *copy = allocate(length);
    if (length)
        __builtin_memcpy(copy, bytes, length);
    hand_over(out, copy, length);
}

static int is_escape(const u8 *at, u32 left) {
    return left >= 3 && at[0] == 0xED && (at[1] == 0xB2 || at[1] == 0xB3);
}

// The bytes that a str of Python stands for: itself, or a copy that must be freed.
static u8 *unescaped(u8 *bytes, u32 *length) {
    u32 escapes = 0;
    for (u32 i = 0; i < *length; i++)
        escapes += is_escape(bytes + i, *length - i);
    if (!escapes)
        return bytes;
    u8 *plain = allocate(*length), *to = plain;
    for (u32 i = 0; i < *length;) {
        if (is_escape(bytes + i, *length - i)) {
            *to++ = (bytes[i + 1] & 3) << 6 | (bytes[i + 2] & 0x3F);
            i += 3;
        } else {
            *to++ = bytes[i++];
        }
    }
    *length = to - plain;
    return plain;
}

// The next key or value of serialised pairs: u32 count, then the lengths, then the bytes, each with a NUL.
static void next_string(Value *out) {
    out->kind = JS_NULL;
    if (given.length < 4)
        return;
    u32 *words = (u32 *)given.bytes;
    u32 strings = words[0] * 2;
    if (words[0] > (given.length - 4) / 8 || given.index >= strings)
        return;
    if (!given.at)
        given.at = 4 + strings * 4;
    u32 length = words[1 + given.index];
    if (length > given.length || given.at > given.length - length)
        return;
    return_string(out, given.bytes + given.at, length);
    given.at += length + 1;
    given.index++;
}

// ---- functions that Python calls

// What a function returns to Python.
enum Result {
    STATUS, // the status
    TEXT,   // a str; None where there is none; else the status
    NUMBER, // a number, or the status below zero
    BYTES,  // a length, or the status below zero; `take` fetches the bytes and `extra` a second number
};

#define FUNCTIONS(X)                                                                                         \
    X(proxy_log, STATUS, 3, (w[0], (u8 *)w[1], w[2]))                                                        \
    X(proxy_get_log_level, NUMBER, 0, (&r[0]))                                                               \
    X(proxy_get_status, BYTES, 0, (&r[2], &r[0], &r[1]))                                                     \
    X(proxy_get_property, BYTES, 2, (w[0], w[1], &r[0], &r[1]))                                              \
    X(proxy_set_property, STATUS, 4, (w[0], w[1], w[2], w[3]))                                               \
    X(proxy_send_local_response, STATUS, 8, (w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]))                \
    X(proxy_get_header_map_value, TEXT, 3, (w[0], w[1], w[2], &r[0], &r[1]))                                 \
    X(proxy_add_header_map_value, STATUS, 5, (w[0], w[1], w[2], w[3], w[4]))                                 \
    X(proxy_replace_header_map_value, STATUS, 5, (w[0], w[1], w[2], w[3], w[4]))                             \
    X(proxy_remove_header_map_value, STATUS, 3, (w[0], w[1], w[2]))                                          \
    X(proxy_get_header_map_pairs, BYTES, 1, (w[0], &r[0], &r[1]))                                            \
    X(proxy_set_header_map_pairs, STATUS, 3, (w[0], w[1], w[2]))                                             \
    X(proxy_get_buffer_bytes, BYTES, 3, (w[0], w[1], w[2], &r[0], &r[1]))                                    \
    X(proxy_set_buffer_bytes, STATUS, 5, (w[0], w[1], w[2], w[3], w[4]))                                     \
    X(proxy_http_call, NUMBER, 9, (w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], &r[0]))             \
    X(proxy_grpc_call, NUMBER, 11, (w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], &r[0])) \
    X(proxy_grpc_stream, NUMBER, 8, (w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], &r[0]))                 \
    X(proxy_grpc_send, STATUS, 4, (w[0], w[1], w[2], w[3]))                                                  \
    X(proxy_grpc_cancel, STATUS, 1, (w[0]))                                                                  \
    X(proxy_grpc_close, STATUS, 1, (w[0]))                                                                   \
    X(proxy_get_shared_data, BYTES, 2, (w[0], w[1], &r[0], &r[1], &r[2]))                                    \
    X(proxy_set_shared_data, STATUS, 5, (w[0], w[1], w[2], w[3], w[4]))                                      \
    X(proxy_register_shared_queue, NUMBER, 2, (w[0], w[1], &r[0]))                                           \
    X(proxy_resolve_shared_queue, NUMBER, 4, (w[0], w[1], w[2], w[3], &r[0]))                                \
    X(proxy_enqueue_shared_queue, STATUS, 3, (w[0], w[1], w[2]))                                             \
    X(proxy_dequeue_shared_queue, BYTES, 1, (w[0], &r[0], &r[1]))                                            \
    X(proxy_define_metric, NUMBER, 3, (w[0], w[1], w[2], &r[0]))                                             \
    X(proxy_increment_metric, STATUS, 3, (w[0], w[1] | (u64)w[2] << 32))                                     \
    X(proxy_record_metric, STATUS, 3, (w[0], w[1] | (u64)w[2] << 32))                                        \
    X(proxy_get_metric, BYTES, 1, (w[0], (u64 *)&r[3]))                                                       \
    X(proxy_set_tick_period_milliseconds, STATUS, 1, (w[0]))                                                 \
    X(proxy_set_effective_context, STATUS, 1, (w[0]))                                                        \
    X(proxy_done, STATUS, 0, ())                                                                             \
    X(proxy_call_foreign_function, BYTES, 4, (w[0], w[1], w[2], w[3], &r[0], &r[1]))                         \
    X(proxy_continue_stream, STATUS, 1, (w[0]))                                                              \
    X(proxy_close_stream, STATUS, 1, (w[0]))

// What Python can call besides the host functions.
static const char *const helpers[] = {"listen", "take", "extra", "next", "text", "raw"};
enum { LISTEN, TAKE, EXTRA, NEXT, TEXT_OF, RAW };

static const struct {
    const char *name;
    u8 result, words;
} functions[] = {
#define X(name, result, words, arguments) {#name, result, words},
    FUNCTIONS(X)
#undef X
};
enum {
#define X(name, result, words, arguments) F_##name,
    FUNCTIONS(X)
#undef X
    FIRST_HELPER,
};
enum { FIRST = 16 }; // of the references to these; MicroPython has its own for the lowest

static u32 dispatch(u32 function, u32 *w, u32 *r) {
    switch (function) {
#define X(name, result, words, arguments)                                                                    \
    case F_##name:                                                                                           \
        return name arguments;
        FUNCTIONS(X)
#undef X
    }
    return BAD_ARGUMENT;
}

// A line break or NUL in a header would let a value smuggle in further headers: no codec takes it.
static int has_line_break(const u8 *bytes, u32 length) {
    for (u32 i = 0; i < length; i++)
        if (bytes[i] == '\n' || bytes[i] == '\r' || !bytes[i])
            return 1;
    return 0;
}

static void return_number(Value *out, u32 number) {
    out->kind = JS_INTEGER;
    out->value = number;
}

static void call_host(u32 function, u32 *words, Value *out) {
    u32 results[5] = {0};
    if ((function == F_proxy_add_header_map_value || function == F_proxy_replace_header_map_value) &&
        (!words[2] || has_line_break((u8 *)words[1], words[2]) || has_line_break((u8 *)words[3], words[4]))) {
        return_number(out, BAD_HEADER);
        return;
    }
    u32 status = dispatch(function, words, results);
    switch (functions[function].result) {
    case STATUS:
        return_number(out, status);
        break;
    case TEXT:
        if (status == NOT_FOUND)
            out->kind = JS_NULL;
        else if (status)
            return_number(out, status);
        else
            hand_over(out, (u8 *)results[0], results[1]);
        break;
    case NUMBER:
        return_number(out, status ? -status : results[0]);
        break;
    case BYTES:
        if (function == F_proxy_get_metric && !status) {
            u32 *copy = (u32 *)allocate(8);
            copy[0] = results[3], copy[1] = results[4];
            results[0] = (u32)copy, results[1] = 8;
        }
        give((u8 *)results[0], results[1]);
        given.extra = results[2];
        return_number(out, status ? -status : results[1]);
        break;
    }
}

static u32 listen(const u8 *name, u32 length, u32 function);

static void call_helper(u32 helper, u32 *words, Value *out) {
    out->kind = JS_NULL;
    switch (helper) {
    case LISTEN: // to a callback: its name, a function
        return_number(out, listen((u8 *)words[0], words[1], words[2]));
        break;
    case TAKE: // what a host function gave: the address of as many bytes, and of the object that they are of
        if (given.length) {
            __builtin_memcpy((void *)words[0], given.bytes, given.length);
            ((u32 *)words[1])[1] = 0; // the hash, behind the type: it is computed when it is asked for
        }
        give(NULL, 0);
        break;
    case EXTRA:
        return_number(out, given.extra);
        break;
    case NEXT: // string of the pairs that a host function gave
        next_string(out);
        break;
    case TEXT_OF: // bytes, as a str that stands for them: their address and length
        return_string(out, (u8 *)words[0], words[1]);
        break;
    case RAW: { // the bytes that a str stands for, to be taken
        u8 *copy = allocate(words[1]);
        if (words[1])
            __builtin_memcpy(copy, (u8 *)words[0], words[1]);
        give(copy, words[1]);
        return_number(out, words[1]);
        break;
    }
    }
}

enum { MOST_WORDS = 16 };

// Call a function: a str is passed on as its pointer and length, a number as it is, None as an empty range.
static void call(u32 reference, u32 count, const Value *const *values, Value *out) {
    u32 words[MOST_WORDS] = {0};
    u8 *copies[MOST_WORDS];
    u32 filled = 0, copied = 0;
    for (u32 i = 0; i < count && filled + 2 <= MOST_WORDS; i++) {
        const Value *value = values[i];
        if (value->kind == MP_STR) {
            u32 length = value->value;
            u8 *bytes = unescaped(value->bytes, &length);
            if (bytes != value->bytes)
                copies[copied++] = bytes;
            words[filled++] = (u32)bytes;
            words[filled++] = length;
        } else if (value->kind == MP_NONE) {
            filled += 2;
        } else {
            words[filled++] = value->value;
        }
    }
    u32 function = reference - FIRST;
    if (function >= FIRST_HELPER)
        call_helper(function - FIRST_HELPER, words, out);
    else if (functions[function].words == filled)
        call_host(function, words, out);
    else
        return_number(out, functions[function].result <= TEXT ? BAD_ARGUMENT : -BAD_ARGUMENT);
    while (copied)
        free(copies[--copied]);
}

EXPORT(lookup_attr) u32 lookup_attr(u32 object, const char *name, Value *out) {
    (void)object;
    u32 found = 0, length = length_of(name);
    for (u32 i = 0; i < COUNT(functions) && !found; i++)
        if (same(functions[i].name, (u8 *)name, length))
            found = FIRST + i;
    for (u32 i = 0; i < COUNT(helpers) && !found; i++)
        if (same(helpers[i], (u8 *)name, length))
            found = FIRST + FIRST_HELPER + i;
    out->kind = JS_OBJECT;
    out->value = found;
    return found != 0;
}
EXPORT(call0) void call0(u32 function, Value *out) { call(function, 0, NULL, out); }
EXPORT(call1) u32 call1(u32 function, u32 via, const Value *one, Value *out) {
    (void)via;
    call(function, 1, (const Value *const[]){one}, out);
    return 0;
}
EXPORT(call2) u32 call2(u32 function, u32 via, const Value *one, const Value *two, Value *out) {
    (void)via;
    call(function, 2, (const Value *const[]){one, two}, out);
    return 0;
}
EXPORT(calln) u32 calln(u32 function, u32 via, u32 count, const Value *values, Value *out) {
    (void)via;
    const Value *each[MOST_WORDS];
    for (u32 i = 0; i < count && i < MOST_WORDS; i++)
        each[i] = &values[i];
    call(function, count < MOST_WORDS ? count : MOST_WORDS, each, out);
    return 0;
}

// ---- the rest of JavaScript, which is not here

#define NOTHING(name, ...)                                                                                   \
    EXPORT(name) void name(__VA_ARGS__) {}
static void return_nothing(Value *out) { out->kind = JS_UNDEFINED; }
NOTHING(proxy_js_free_obj, u32 object)
NOTHING(store_attr, u32 object, const char *name, Value *value)
NOTHING(js_subscr_store, u32 object, Value *index, Value *value)
NOTHING(js_then_resolve, Value *value, Value *resolve)
NOTHING(js_then_reject, Value *value, Value *reject)
EXPORT(has_attr) u32 has_attr(u32 object, const char *name) {
    Value out;
    return lookup_attr(object, name, &out);
}
EXPORT(call0_kwarg) void call0_kwarg(u32 f, u32 via, u32 n, u32 *keys, Value *values, Value *out) {
    return_nothing(out);
}
EXPORT(calln_kwarg)
void calln_kwarg(u32 f, u32 via, u32 n, Value *arguments, u32 m, u32 *keys, Value *values, Value *out) {
    return_nothing(out);
}
EXPORT(js_reflect_construct) void js_reflect_construct(u32 f, u32 n, Value *arguments, Value *out) {
    return_nothing(out);
}
EXPORT(js_subscr_load) void js_subscr_load(u32 object, Value *index, Value *out) { return_nothing(out); }
EXPORT(js_get_iter) void js_get_iter(u32 object, Value *out) {
    out->kind = JS_EXISTING; // of which js_iter_next gives nothing
    out->value = 0;
}
EXPORT(js_iter_next) u32 js_iter_next(u32 object, Value *out) { return 0; }
EXPORT(js_check_existing) u32 js_check_existing(u32 function) { return -1; }
EXPORT(js_get_error_info) void js_get_error_info(u32 object, Value *name, Value *message) {
    return_nothing(name);
    return_nothing(message);
}
EXPORT(js_then_continue) void js_then_continue(u32 o, Value *resume, Value *y, Value *n, Value *out) {
    return_nothing(out);
}
EXPORT(create_promise) void create_promise(Value *set, Value *out) { return_nothing(out); }
EXPORT(js_get_proxy_js_ref_info) void js_get_proxy_js_ref_info(Value *out) { return_nothing(out); }
EXPORT(proxy_convert_mp_to_js_then_js_to_mp_obj_jsside) void convert(Value *out) { return_nothing(out); }
EXPORT(proxy_convert_mp_to_js_then_js_to_js_then_js_to_mp_obj_jsside) void convert_twice(Value *out) {
    return_nothing(out);
}

// ---- the operating system: time, chance, memory, and output; no files

static u64 now(void) {
    u64 nanoseconds = 0;
    proxy_get_current_time_nanoseconds(&nanoseconds);
    return nanoseconds;
}
EXPORT(mp_js_time_ms) double mp_js_time_ms(void) { return (double)(now() / 1000) / 1000; }
EXPORT(mp_js_ticks_ms) u32 mp_js_ticks_ms(void) { return (u32)(now() / 1000000); }
EXPORT(mp_js_random_u32) u32 mp_js_random_u32(void) {
    u32 number = 0;
    random_get(&number, 4);
    return number;
}

enum { PAGE = 65536 };
static u32 memory_limit = 128 << 20;
static u8 refused;

// A last megabyte is kept back, so that the MemoryError can be told.
EXPORT(emscripten_resize_heap) u32 emscripten_resize_heap(u32 wanted) {
    u32 pages = wanted / PAGE + (wanted % PAGE != 0);
    u32 have = __builtin_wasm_memory_size(0);
    if (wanted <= memory_limit + (refused ? 1 << 20 : 0)) {
        if (pages <= have || __builtin_wasm_memory_grow(0, pages - have) != (u32)-1)
            return 1;
    }
    if (!refused)
        say(LOG_ERROR, "out of memory: the filter has reached its limit");
    refused = 1;
    return 0;
}

static struct {
    u32 length;
    u8 text[8192];
} lines[2]; // of standard output and standard error

static void end_line(u32 stream) {
    if (lines[stream].length)
        proxy_log(stream ? LOG_ERROR : LOG_INFO, lines[stream].text, lines[stream].length);
    lines[stream].length = 0;
}

// Python writes fragments; the log gets whole lines.
EXPORT(fd_write) u32 fd_write(u32 file, const u32 *vectors, u32 count, u32 *written) {
    u32 stream = file == 2, total = 0;
    for (u32 i = 0; i < count; i++) {
        const u8 *bytes = (const u8 *)vectors[2 * i];
        u32 length = vectors[2 * i + 1];
        total += length;
        for (u32 k = 0; k < length; k++) {
            if (bytes[k] == '\n' || lines[stream].length == sizeof(lines[stream].text))
                end_line(stream);
            if (bytes[k] != '\n')
                lines[stream].text[lines[stream].length++] = bytes[k];
        }
    }
    *written = total;
    return 0;
}

enum { NO_FILE = 44, BAD_FILE = 8 }; // errno of WASI, which is that of Emscripten
EXPORT(fd_close) u32 fd_close(u32 file) { return 0; }
EXPORT(fd_sync) u32 fd_sync(u32 file) { return 0; }
EXPORT(fd_seek) u32 fd_seek(u32 file, u64 offset, u32 whence, u32 *at) { return BAD_FILE; }
EXPORT(fd_read) u32 fd_read(u32 file, u32 *vectors, u32 count, u32 *got) { return BAD_FILE; }
#define NO_SYSTEM_CALL(name, ...)                                                                            \
    EXPORT(__syscall_##name) int syscall_##name(__VA_ARGS__) { return -NO_FILE; }
NO_SYSTEM_CALL(chdir, u32 a)
NO_SYSTEM_CALL(rmdir, u32 a)
NO_SYSTEM_CALL(getcwd, u32 a, u32 b)
NO_SYSTEM_CALL(stat64, u32 a, u32 b)
NO_SYSTEM_CALL(lstat64, u32 a, u32 b)
NO_SYSTEM_CALL(fstat64, u32 a, u32 b)
NO_SYSTEM_CALL(mkdirat, u32 a, u32 b, u32 c)
NO_SYSTEM_CALL(poll, u32 a, u32 b, u32 c)
NO_SYSTEM_CALL(getdents64, u32 a, u32 b, u32 c)
NO_SYSTEM_CALL(statfs64, u32 a, u32 b, u32 c)
NO_SYSTEM_CALL(unlinkat, u32 a, u32 b, u32 c)
NO_SYSTEM_CALL(openat, u32 a, u32 b, u32 c, u32 d)
NO_SYSTEM_CALL(renameat, u32 a, u32 b, u32 c, u32 d)
NO_SYSTEM_CALL(newfstatat, u32 a, u32 b, u32 c, u32 d)
EXPORT(_abort_js) void abort_js(void) { trap("the Python runtime gave up"); }

// ---- callbacks

#define CALLBACKS(X)                                                                                         \
    X(load, 2, 0)                                                                                            \
    X(proxy_on_context_create, 2, 0)                                                                         \
    X(proxy_on_vm_start, 2, 1)                                                                               \
    X(proxy_on_configure, 2, 1)                                                                              \
    X(proxy_on_tick, 1, 0)                                                                                   \
    X(proxy_on_queue_ready, 2, 0)                                                                            \
    X(proxy_on_foreign_function, 3, 0)                                                                       \
    X(proxy_on_http_call_response, 5, 0)                                                                     \
    X(proxy_on_grpc_receive_initial_metadata, 3, 0)                                                          \
    X(proxy_on_grpc_receive_trailing_metadata, 3, 0)                                                         \
    X(proxy_on_grpc_receive, 3, 0)                                                                           \
    X(proxy_on_grpc_close, 3, 0)                                                                             \
    X(proxy_on_request_headers, 3, 0)                                                                        \
    X(proxy_on_request_body, 3, 0)                                                                           \
    X(proxy_on_request_trailers, 2, 0)                                                                       \
    X(proxy_on_response_headers, 3, 0)                                                                       \
    X(proxy_on_response_body, 3, 0)                                                                          \
    X(proxy_on_response_trailers, 2, 0)                                                                      \
    X(proxy_on_log, 1, 0)                                                                                    \
    X(proxy_on_done, 1, 1)                                                                                   \
    X(proxy_on_delete, 1, 0)

enum {
#define X(name, arguments, otherwise) C_##name,
    CALLBACKS(X)
#undef X
    CALLBACK_COUNT,
};
static const char *const callback_names[] = {
#define X(name, arguments, otherwise) #name,
    CALLBACKS(X)
#undef X
};
static u32 listeners[CALLBACK_COUNT]; // references to Python functions; 0 where Python does not listen

static u32 listen(const u8 *name, u32 length, u32 function) {
    for (u32 i = 0; i < CALLBACK_COUNT; i++)
        if (same(callback_names[i], name, length)) {
            listeners[i] = function;
            return OK;
        }
    return NOT_FOUND;
}

// Call Python. Its functions catch what is raised and give -1 after they have logged it; what comes out
// as an exception all the same is a MemoryError on the way.
static u32 call_python(u32 callback, u32 count, Value *arguments) {
    Value out = {0};
    mp_call(listeners[callback], count, arguments, &out);
    end_line(0);
    end_line(1);
    if (out.kind == MP_INT && out.value != (u32)-1)
        return out.value;
    if (out.kind == MP_EXCEPTION)
        proxy_log(LOG_ERROR, out.bytes, out.value);
    __builtin_trap();
}

static u32 run(u32 callback, u32 count, const u32 *numbers) {
    Value arguments[5];
    for (u32 i = 0; i < count; i++) {
        arguments[i].kind = JS_INTEGER;
        arguments[i].value = numbers[i];
    }
    return call_python(callback, count, arguments);
}

#define RUN(name, otherwise, ...)                                                                            \
    (listeners[C_##name] ? run(C_##name, COUNT(((u32[]){__VA_ARGS__})), (u32[]){__VA_ARGS__}) : (otherwise))
#define ON1(name) EXPORT(name) void name(u32 a) { RUN(name, 0, a); }
#define ON2(name) EXPORT(name) void name(u32 a, u32 b) { RUN(name, 0, a, b); }
#define ON3(name) EXPORT(name) void name(u32 a, u32 b, u32 c) { RUN(name, 0, a, b, c); }
#define ASK1(name, otherwise) EXPORT(name) u32 name(u32 a) { return RUN(name, otherwise, a); }
#define ASK2(name, otherwise) EXPORT(name) u32 name(u32 a, u32 b) { return RUN(name, otherwise, a, b); }
#define ASK3(name, otherwise) EXPORT(name) u32 name(u32 a, u32 b, u32 c) { return RUN(name, otherwise, a, b, c); }

ON1(proxy_on_tick)
ON2(proxy_on_queue_ready)
ON3(proxy_on_foreign_function)
ON3(proxy_on_grpc_receive_initial_metadata)
ON3(proxy_on_grpc_receive_trailing_metadata)
ON3(proxy_on_grpc_receive)
ON3(proxy_on_grpc_close)
ASK2(proxy_on_configure, 1)
ASK3(proxy_on_request_headers, 0)
ASK3(proxy_on_request_body, 0)
ASK2(proxy_on_request_trailers, 0)
ASK3(proxy_on_response_headers, 0)
ASK3(proxy_on_response_body, 0)
ASK2(proxy_on_response_trailers, 0)
ON1(proxy_on_log)
ASK1(proxy_on_done, 1)
ON1(proxy_on_delete)
EXPORT(proxy_on_http_call_response)
void proxy_on_http_call_response(u32 a, u32 b, u32 c, u32 d, u32 e) {
    RUN(proxy_on_http_call_response, 0, a, b, c, d, e);
}

static u32 roots; // how many root contexts there have been

// A stream's parent is asked for only where there is a choice.
EXPORT(proxy_on_context_create) void proxy_on_context_create(u32 context, u32 parent) {
    if (!parent)
        roots++;
    if (!parent || roots > 1)
        RUN(proxy_on_context_create, 0, context, parent);
}

// ---- start

// Where a filter's own bytes are written to; `__init__.py` knows this shape.
static struct {
    u32 text_length;
    u32 name_length;
    u32 memory_limit;
    u8 bytes[(1 << 20) - 12]; // the name, then the text
} area __attribute__((aligned(16)));
EXPORT(wasmhub_area) void *where_area(void) { return &area; }

static u8 loaded;

EXPORT(proxy_on_vm_start) u32 proxy_on_vm_start(u32 context, u32 size) {
    if (!loaded) { // a second root context of the same machine starts it again
        loaded = 1;
        if (area.memory_limit)
            memory_limit = area.memory_limit;
        Value arguments[2];
        return_string(&arguments[0], area.bytes, area.name_length);
        return_string(&arguments[1], area.bytes + area.name_length, area.text_length);
        if (!call_python(C_load, 2, arguments))
            return 0;
    }
    return RUN(proxy_on_vm_start, 1, context, size);
}

// Run once, when the runtime is made: what it leaves in memory is what every filter starts with.
EXPORT(wasmhub_prepare) u32 prepare(const u8 *prelude, u32 length) {
    mp_stack_init();
    mp_constructors();
    mp_js_init(32 << 10, 128 << 10); // words of stack for Python values, bytes of heap
    proxy_c_init();
    Value out = {0};
    mp_js_do_exec(prelude, length, &out);
    if (out.kind != MP_EXCEPTION)
        return 0;
    proxy_log(LOG_ERROR, out.bytes, out.value);
    return 1;
}

EXPORT(proxy_abi_version_0_2_1) void proxy_abi_version_0_2_1(void) {}
EXPORT(proxy_on_memory_allocate) void *proxy_on_memory_allocate(u32 size) { return malloc(size); }
