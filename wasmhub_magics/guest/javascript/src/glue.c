// Between the proxy and QuickJS: what QuickJS imports, and what the proxy calls.
//
// JavaScript has one function of ours, `__host(number, ...)`, which comes to `host_call` below: it calls the host
// function or helper of that number. Strings and Uint8Arrays are passed as pointer and length, numbers as they are.
//
// This is linked behind QuickJS's static data; its heap begins behind both. `area` is where a filter's source
// lies when its module is instantiated.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef u64 JSValue; // the tag is in the upper half

#define NULL ((void *)0)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FROM(module, name) __attribute__((import_module(#module), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name), used))

// ---- QuickJS

enum { TAG_INT = 0, TAG_BOOL = 1, TAG_NULL = 2, TAG_UNDEFINED = 3, TAG_EXCEPTION = 6 };
#define VALUE(tag, number) ((JSValue)(tag) << 32 | (u32)(number))
static u32 tag_of(JSValue value) { return value >> 32; }

typedef struct JSContext JSContext;
FROM(qjs, _initialize) void qjs_initialize(void);
FROM(qjs, qjs_init) u32 qjs_init(void);
FROM(qjs, qjs_get_context_ptr) JSContext *qjs_get_context_ptr(void);
FROM(qjs, qjs_get_runtime_ptr) void *qjs_get_runtime_ptr(void);
FROM(qjs, qjs_set_memory_limit) void qjs_set_memory_limit(u32 bytes);
FROM(qjs, qjs_set_max_stack_size) void qjs_set_max_stack_size(u32 bytes);
FROM(qjs, qjs_set_module_loader) void qjs_set_module_loader(u32 on);
FROM(qjs, qjs_set_promise_rejection_handler) void qjs_set_promise_rejection_handler(u32 on);
FROM(qjs, qjs_execute_pending_job) int qjs_execute_pending_job(void);
FROM(qjs, qjs_new_host_function) JSValue *qjs_new_host_function(const char *name, u32 length, u32 new_target);
FROM(qjs, qjs_get_undefined) JSValue *qjs_get_undefined(void);
FROM(qjs, malloc) void *malloc(u32 size);
FROM(qjs, free) void free(void *bytes);
FROM(qjs, JS_Eval) JSValue JS_Eval(JSContext *, const u8 *text, u32 length, const char *name, u32 flags);
FROM(qjs, JS_Call) JSValue JS_Call(JSContext *, JSValue f, JSValue this, u32 count, const JSValue *arguments);
FROM(qjs, JS_DupValue) JSValue JS_DupValue(JSContext *, JSValue);
FROM(qjs, JS_FreeValue) void JS_FreeValue(JSContext *, JSValue);
FROM(qjs, JS_GetException) JSValue JS_GetException(JSContext *);
FROM(qjs, JS_GetGlobalObject) JSValue JS_GetGlobalObject(JSContext *);
FROM(qjs, JS_SetPropertyStr) int JS_SetPropertyStr(JSContext *, JSValue object, const char *name, JSValue value);
FROM(qjs, JS_ToCStringLen2) u8 *JS_ToCStringLen2(JSContext *, u32 *length, JSValue, u32 cesu8);
FROM(qjs, JS_FreeCString) void JS_FreeCString(JSContext *, u8 *);
FROM(qjs, JS_ToInt32) int JS_ToInt32(JSContext *, u32 *, JSValue);
FROM(qjs, JS_NewStringLen) JSValue JS_NewStringLen(JSContext *, const u8 *, u32 length);
FROM(qjs, JS_NewUint8ArrayCopy) JSValue JS_NewUint8ArrayCopy(JSContext *, const u8 *, u32 length);
FROM(qjs, JS_PromiseState) int JS_PromiseState(JSContext *, JSValue);
FROM(qjs, JS_PromiseResult) JSValue JS_PromiseResult(JSContext *, JSValue);
FROM(qjs, JS_GetTypedArrayType) int JS_GetTypedArrayType(JSValue);
FROM(qjs, JS_GetUint8Array) u8 *JS_GetUint8Array(JSContext *, u32 *length, JSValue);
FROM(qjs, JS_ThrowTypeError) JSValue JS_ThrowTypeError(JSContext *, const char *, const void *);

static JSContext *js;

// ---- the proxy

#define HOST(name, ...) FROM(env, name) u32 name(__VA_ARGS__)
#define RANGE u32, u32
HOST(proxy_log, u32 level, const u8 *text, u32 length);
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
HOST(proxy_set_effective_context, u32);
HOST(proxy_call_foreign_function, RANGE, RANGE, u32 *, u32 *);
HOST(proxy_get_current_time_nanoseconds, u64 *);
HOST(proxy_continue_stream, u32);
HOST(proxy_close_stream, u32);
FROM(wasi_snapshot_preview1, random_get) u32 proxy_random(void *bytes, u32 length);

enum { LOG_INFO = 2, LOG_ERROR = 4 };

static u32 length_of(const char *text) {
    u32 length = 0;
    while (text[length])
        length++;
    return length;
}

static void say(u32 level, const char *text) { proxy_log(level, (const u8 *)text, length_of(text)); }

// ---- functions that JavaScript calls

// What a function returns to JavaScript.
enum Result {
    STATUS, // the status
    TEXT,   // a string, or the status
    BYTES,  // a Uint8Array, or the status
    NUMBER, // a number, or the status below zero
    WIDE,   // a Uint8Array of the eight bytes of a number, or the status
};

// The order is that of `host` in prelude/host.js.
#define FUNCTIONS(X)                                                                                         \
    X(proxy_log, STATUS, 3, (w[0], (u8 *)w[1], w[2]))                                                        \
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
    X(proxy_continue_stream, STATUS, 1, (w[0]))                                                              \
    X(proxy_close_stream, STATUS, 1, (w[0]))                                                                 \
    X(proxy_http_call, NUMBER, 9, (w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], &r[0]))             \
    X(proxy_get_shared_data, BYTES, 2, (w[0], w[1], &r[0], &r[1], &extra))                                   \
    X(proxy_set_shared_data, STATUS, 5, (w[0], w[1], w[2], w[3], w[4]))                                      \
    X(proxy_register_shared_queue, NUMBER, 2, (w[0], w[1], &r[0]))                                           \
    X(proxy_resolve_shared_queue, NUMBER, 4, (w[0], w[1], w[2], w[3], &r[0]))                                \
    X(proxy_enqueue_shared_queue, STATUS, 3, (w[0], w[1], w[2]))                                             \
    X(proxy_dequeue_shared_queue, BYTES, 1, (w[0], &r[0], &r[1]))                                            \
    X(proxy_define_metric, NUMBER, 3, (w[0], w[1], w[2], &r[0]))                                             \
    X(proxy_increment_metric, STATUS, 3, (w[0], w[1] | (u64)w[2] << 32))                                     \
    X(proxy_record_metric, STATUS, 3, (w[0], w[1] | (u64)w[2] << 32))                                        \
    X(proxy_get_metric, WIDE, 1, (w[0], (u64 *)r))                                                           \
    X(proxy_set_tick_period_milliseconds, STATUS, 1, (w[0]))                                                 \
    X(proxy_set_effective_context, STATUS, 1, (w[0]))                                                        \
    X(proxy_call_foreign_function, BYTES, 4, (w[0], w[1], w[2], w[3], &r[0], &r[1]))

static u32 extra; // a second result: the compare-and-swap number of shared data

static const struct {
    u8 result, words;
} functions[] = {
#define X(name, result, words, arguments) {result, words},
    FUNCTIONS(X)
#undef X
};
enum {
#define X(name, result, words, arguments) F_##name,
    FUNCTIONS(X)
#undef X
    GET_BYTES,   // of a header
    LISTEN,      // to a callback: its number, a function
    TEXT_OF,     // bytes
    BYTES_OF,    // a string
    RANDOM,      // that many random bytes
    EXTRA,       // the second result of the last call
};

static u32 dispatch(u32 function, u32 *w, u32 *r) {
    switch (function) {
#define X(name, result, words, arguments)                                                                    \
    case F_##name:                                                                                           \
        return name arguments;
        FUNCTIONS(X)
#undef X
    }
    __builtin_trap();
}

enum { MOST_ARGUMENTS = 10, MOST_WORDS = 20 };

static JSValue listen(u32 callback, JSValue function);

// Bytes of ours as a value of JavaScript; they are freed.
static JSValue hand_over(u32 kind, u8 *bytes, u32 length) {
    JSValue value = kind == TEXT ? JS_NewStringLen(js, bytes, length) : JS_NewUint8ArrayCopy(js, bytes, length);
    free(bytes);
    return value;
}

static JSValue call(u32 function, u32 *words, u32 filled, JSValue last) {
    u32 results[2] __attribute__((aligned(8))) = {0};
    if (function < COUNT(functions)) {
        if (functions[function].words != filled)
            return JS_ThrowTypeError(js, "wrong arguments", NULL);
        u32 status = dispatch(function, words, results);
        if (functions[function].result == NUMBER)
            return VALUE(TAG_INT, status ? -status : results[0]);
        if (status || functions[function].result == STATUS)
            return VALUE(TAG_INT, status);
        if (functions[function].result == WIDE)
            return JS_NewUint8ArrayCopy(js, (u8 *)results, sizeof(results));
        return hand_over(functions[function].result, (u8 *)results[0], results[1]);
    }
    switch (function) {
    case GET_BYTES: {
        u32 status = proxy_get_header_map_value(words[0], words[1], words[2], &results[0], &results[1]);
        return status ? VALUE(TAG_INT, status) : hand_over(BYTES, (u8 *)results[0], results[1]);
    }
    case LISTEN:
        return listen(words[0], last);
    case TEXT_OF:
        return JS_NewStringLen(js, (u8 *)words[0], words[1]);
    case BYTES_OF:
        return JS_NewUint8ArrayCopy(js, (u8 *)words[0], words[1]);
    case RANDOM: {
        u32 bytes[64];
        proxy_random(bytes, sizeof(bytes));
        return JS_NewUint8ArrayCopy(js, (u8 *)bytes, sizeof(bytes));
    }
    case EXTRA:
        return VALUE(TAG_INT, extra);
    }
    return VALUE(TAG_UNDEFINED, 0);
}

EXPORT(host_call) JSValue *host_call(const u8 *name, u32 length, JSValue *this, u32 count, JSValue **values) {
    (void)name, (void)length, (void)this;
    u32 words[MOST_WORDS] = {0}, filled = 0, strings = 0, function = 0;
    u8 *copies[MOST_ARGUMENTS];
    JSValue result = VALUE(TAG_UNDEFINED, 0), last = result;
    if (count && count <= MOST_ARGUMENTS)
        JS_ToInt32(js, &function, *values[0]);
    for (u32 i = 1; i < count && count <= MOST_ARGUMENTS; i++) {
        last = *values[i];
        u32 tag = tag_of(last);
        if (tag == TAG_UNDEFINED || tag == TAG_NULL) {
            filled += 2;
        } else if (tag == TAG_INT || tag == TAG_BOOL) {
            words[filled++] = (u32)last;
        } else if (JS_GetTypedArrayType(last) >= 0) {
            words[filled] = (u32)JS_GetUint8Array(js, &words[filled + 1], last);
            filled += 2;
        } else if (function == LISTEN) {
            filled++;
        } else {
            u32 size;
            u8 *text = JS_ToCStringLen2(js, &size, last, 0);
            if (!text)
                goto done; // it has thrown
            copies[strings++] = text;
            words[filled++] = (u32)text;
            words[filled++] = size;
        }
    }
    result = call(function, words, filled, last);
done:
    while (strings)
        JS_FreeCString(js, copies[--strings]);
    if (tag_of(result) == TAG_EXCEPTION)
        return NULL;
    JSValue *box = qjs_get_undefined(); // a new box
    *box = result;
    return box;
}

// ---- what else QuickJS wants

static u8 preparing; // while the runtime is made there is no proxy

EXPORT(host_get_timezone_offset) u32 host_get_timezone_offset(u32 a, u32 b) { return 0; }
EXPORT(host_interrupt) u32 host_interrupt(void) { return 0; }
EXPORT(clock_time_get) u32 clock_time_get(u32 clock, u64 precision, u64 *time) {
    *time = 0;
    return preparing ? 0 : proxy_get_current_time_nanoseconds(time);
}
EXPORT(random_get) u32 random_get(u8 *bytes, u32 length) {
    if (!preparing)
        return proxy_random(bytes, length);
    __builtin_memset(bytes, 7, length);
    return 0;
}
enum { BAD_FILE = 8 };
EXPORT(fd_close) u32 fd_close(u32 file) { return BAD_FILE; }
EXPORT(fd_fdstat_get) u32 fd_fdstat_get(u32 file, u32 at) { return BAD_FILE; }
EXPORT(fd_seek) u32 fd_seek(u32 file, u64 offset, u32 whence, u32 *at) { return BAD_FILE; }
EXPORT(fd_write) u32 fd_write(u32 file, const u32 *vectors, u32 count, u32 *written) {
    *written = 0;
    for (u32 i = 0; i < count; i++) {
        if (vectors[2 * i + 1])
            proxy_log(file == 2 ? LOG_ERROR : LOG_INFO, (const u8 *)vectors[2 * i], vectors[2 * i + 1]);
        *written += vectors[2 * i + 1];
    }
    return 0;
}

// ---- callbacks

// The order is that of the callbacks in prelude/host.js.
enum {
    C_LOAD,
    C_REJECTION,
    C_SETTLE,
    C_OUTCOME,
    C_EXTRAS,
    C_RESOLVE,
    C_FILE,
    C_CONTEXT_CREATE,
    C_VM_START,
    C_CONFIGURE,
    C_REQUEST_HEADERS,
    C_REQUEST_BODY,
    C_REQUEST_TRAILERS,
    C_RESPONSE_HEADERS,
    C_RESPONSE_BODY,
    C_RESPONSE_TRAILERS,
    C_LOG,
    C_DONE,
    C_DELETE,
    C_TICK,
    C_QUEUE_READY,
    C_HTTP_CALL_RESPONSE,
    CALLBACK_COUNT,
};
static JSValue listeners[CALLBACK_COUNT];
static u8 listened[CALLBACK_COUNT];

static JSValue listen(u32 callback, JSValue function) {
    if (callback < CALLBACK_COUNT) {
        listeners[callback] = JS_DupValue(js, function);
        listened[callback] = 1;
    }
    return VALUE(TAG_UNDEFINED, 0);
}

static _Noreturn void lost(void) { // an error that not even the prelude could tell of
    JSValue error = JS_GetException(js);
    u32 length = 0;
    u8 *text = JS_ToCStringLen2(js, &length, error, 0);
    text ? proxy_log(LOG_ERROR, text, length) : (u32)(say(LOG_ERROR, "out of memory"), 0);
    __builtin_trap();
}

// Call JavaScript. Its functions catch what is thrown and give -1 after they have logged it.
static u32 call_js(u32 callback, u32 count, const JSValue *arguments) {
    JSValue result = JS_Call(js, listeners[callback], VALUE(TAG_UNDEFINED, 0), count, arguments);
    if (tag_of(result) == TAG_INT && (u32)result != (u32)-1)
        return (u32)result;
    if (tag_of(result) == TAG_EXCEPTION)
        lost();
    __builtin_trap();
}

enum { PENDING = 1 << 16 }; // of a callback that is a promise: what it gives is known when the jobs have run

static u32 run(u32 callback, u32 count, const u32 *numbers) {
    JSValue arguments[3];
    for (u32 i = 0; i < count; i++)
        arguments[i] = VALUE(TAG_INT, numbers[i]);
    u32 result = call_js(callback, count, arguments);
    int jobs = 0, done;
    while ((done = qjs_execute_pending_job()) > 0)
        jobs = 1;
    if (done < 0)
        lost();
    if (jobs || listened[C_REJECTION] == 2) {
        listened[C_REJECTION] = 1;
        call_js(C_SETTLE, 0, NULL);
    }
    return result == PENDING ? call_js(C_OUTCOME, 0, NULL) : result;
}

// Call JavaScript for a text, which is to be freed; NULL where it has thrown, which is left as it is.
static u8 *text_from(u32 callback, const char *one, const char *two, u32 *length) {
    JSValue arguments[2] = {JS_NewStringLen(js, (const u8 *)one, length_of(one)),
                            JS_NewStringLen(js, (const u8 *)two, length_of(two))};
    JSValue result = JS_Call(js, listeners[callback], VALUE(TAG_UNDEFINED, 0), 2, arguments);
    JS_FreeValue(js, arguments[0]);
    JS_FreeValue(js, arguments[1]);
    if (tag_of(result) == TAG_EXCEPTION)
        return NULL;
    u8 *text = JS_ToCStringLen2(js, length, result, 0), *copy = text ? malloc(*length + 1) : NULL;
    if (copy)
        __builtin_memcpy(copy, text, *length + 1);
    if (text)
        JS_FreeCString(js, text);
    JS_FreeValue(js, result);
    return copy;
}

EXPORT(host_module_normalize) u8 *host_module_normalize(const char *base, const char *name) {
    u32 length;
    return text_from(C_RESOLVE, base, name, &length);
}
EXPORT(host_module_load) u8 *host_module_load(const char *name, u32 *length) {
    return text_from(C_FILE, name, "", length);
}

EXPORT(host_promise_rejection) void host_promise_rejection(JSValue *promise, JSValue *reason, u32 handled) {
    listened[C_REJECTION] = 2;
    call_js(C_REJECTION, 3, (JSValue[]){*promise, *reason, VALUE(TAG_INT, handled)});
}

#define RUN(name, otherwise, ...)                                                                            \
    (listened[C_##name] ? run(C_##name, COUNT(((u32[]){__VA_ARGS__})), (u32[]){__VA_ARGS__}) : (otherwise))
#define ASK2(name, callback, otherwise)                                                                      \
    EXPORT(name) u32 name(u32 a, u32 b) { return RUN(callback, otherwise, a, b); }
#define ASK3(name, callback)                                                                                 \
    EXPORT(name) u32 name(u32 a, u32 b, u32 c) { return RUN(callback, 0, a, c); }
ASK2(proxy_on_configure, CONFIGURE, 1)
ASK3(proxy_on_request_headers, REQUEST_HEADERS)
ASK3(proxy_on_request_body, REQUEST_BODY)
ASK2(proxy_on_request_trailers, REQUEST_TRAILERS, 0)
ASK3(proxy_on_response_headers, RESPONSE_HEADERS)
ASK3(proxy_on_response_body, RESPONSE_BODY)
ASK2(proxy_on_response_trailers, RESPONSE_TRAILERS, 0)
EXPORT(proxy_on_log) void proxy_on_log(u32 context) { RUN(LOG, 0, context); }
EXPORT(proxy_on_done) u32 proxy_on_done(u32 context) { return RUN(DONE, 1, context); }
EXPORT(proxy_on_tick) void proxy_on_tick(u32 context) { RUN(TICK, 0, context); }
EXPORT(proxy_on_queue_ready) void proxy_on_queue_ready(u32 context, u32 queue) { RUN(QUEUE_READY, 0, context, queue); }
EXPORT(proxy_on_http_call_response)
void proxy_on_http_call_response(u32 context, u32 token, u32 headers, u32 size, u32 trailers) {
    RUN(HTTP_CALL_RESPONSE, 0, context, token);
}
EXPORT(proxy_on_delete) void proxy_on_delete(u32 context) { RUN(DELETE, 0, context); }

static u32 roots; // how many root contexts there have been

// A stream's parent is asked for only where there is a choice.
EXPORT(proxy_on_context_create) void proxy_on_context_create(u32 context, u32 parent) {
    if (!parent)
        roots++;
    if (!parent || roots > 1)
        RUN(CONTEXT_CREATE, 0, context, parent);
}

// ---- start

// Where a filter's own bytes are written to; `embedding.py` knows this shape.
static struct {
    u32 text_length;
    u32 name_length;
    u32 memory_limit;
    u8 bytes[(1 << 20) - 12]; // the name, then the text
} area __attribute__((aligned(16)));
EXPORT(wasmhub_area) void *where_area(void) { return &area; }

static u8 loaded;

enum { MODULE = 1, REJECTED = 2 }; // flag of JS_Eval, state of a promise

// Run the filter's source. Behind a NUL it may have "m" for a module or "s" for a script, and JSON with what it was
// built with. Gives whether it failed, and with what.
static u32 evaluate(JSValue *failed) {
    char name[72] = {0};
    __builtin_memcpy(name, area.bytes, area.name_length < 64 ? area.name_length : 64);
    const u8 *source = area.bytes + area.name_length;
    u32 length = 0, size = 0, module = 0;
    while (length < area.text_length && source[length])
        length++;
    u8 *ending = NULL;
    if (length < area.text_length) {
        module = source[length + 1] == 'm';
        JSValue json = JS_NewStringLen(js, source + length + 2, area.text_length - length - 2);
        call_js(C_EXTRAS, 1, &json);
        JS_FreeValue(js, json);
        if (module)
            ending = text_from(C_FILE, "", "", &size); // it tells of the callbacks, which are the module's own
    }
    u8 *text = malloc(length + size + 1); // with the NUL that JS_Eval wants
    if (!text)
        return 1;
    __builtin_memcpy(text, source, length);
    if (size)
        __builtin_memcpy(text + length, ending, size);
    text[length + size] = 0;
    free(ending);
    JSValue result = JS_Eval(js, text, length + size, name, module ? MODULE : 0);
    free(text);
    u32 bad = tag_of(result) == TAG_EXCEPTION;
    if (bad) {
        *failed = JS_GetException(js);
    } else if (module) {
        while (qjs_execute_pending_job() > 0) {
        }
        bad = JS_PromiseState(js, result) == REJECTED;
        if (bad)
            *failed = JS_PromiseResult(js, result);
    }
    JS_FreeValue(js, result);
    return bad;
}

EXPORT(proxy_on_vm_start) u32 proxy_on_vm_start(u32 context, u32 size) {
    if (!loaded) { // a second root context of the same machine starts it again
        loaded = 1;
        if (area.memory_limit)
            qjs_set_memory_limit(area.memory_limit);
        JSValue failed = VALUE(TAG_UNDEFINED, 0);
        u32 bad = evaluate(&failed);
        JSValue arguments[2] = {VALUE(TAG_BOOL, bad), failed};
        u32 good = call_js(C_LOAD, 2, arguments);
        JS_FreeValue(js, failed);
        if (!good)
            return 0;
    }
    return RUN(VM_START, 1, context);
}

// Parse a text, which a NUL follows, without running it: what a build asks. Gives whether it can be read; where not,
// the log has told why.
EXPORT(wasmhub_check) u32 wasmhub_check(const u8 *text, u32 length, u32 module) {
    enum { COMPILE_ONLY = 32 };
    JSValue result = JS_Eval(js, text, length, "cell", COMPILE_ONLY | (module ? MODULE : 0));
    if (tag_of(result) != TAG_EXCEPTION)
        return 1;
    JSValue arguments[2] = {VALUE(TAG_BOOL, 1), JS_GetException(js)};
    return call_js(C_LOAD, 2, arguments);
}

enum { STACK = 256 << 10 }; // bytes that calls may nest: less than what any proxy has

// Run once, when the runtime is made: what it leaves in memory is what every filter starts with.
EXPORT(wasmhub_prepare) u32 prepare(const u8 *prelude, u32 length) {
    preparing = 1;
    qjs_initialize();
    if (qjs_init())
        return 1;
    js = qjs_get_context_ptr();
    qjs_set_max_stack_size(STACK);
    if (*qjs_get_undefined() != VALUE(TAG_UNDEFINED, 0)) {
        say(LOG_ERROR, "this is not the QuickJS that the glue was written for");
        return 1;
    }
    JSValue global = JS_GetGlobalObject(js);
    JS_SetPropertyStr(js, global, "__host", *qjs_new_host_function("__host", 6, 0));
    JSValue result = JS_Eval(js, prelude, length, "<prelude>", 0);
    preparing = 0;
    qjs_set_promise_rejection_handler(1);
    qjs_set_module_loader(1);
    if (tag_of(result) != TAG_EXCEPTION)
        return 0;
    JSValue error = JS_GetException(js);
    u8 *text = JS_ToCStringLen2(js, &length, error, 0);
    proxy_log(LOG_ERROR, text, length);
    return 1;
}

EXPORT(proxy_abi_version_0_2_1) void proxy_abi_version_0_2_1(void) {}
EXPORT(proxy_on_memory_allocate) void *proxy_on_memory_allocate(u32 size) { return malloc(size); }
