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

#include "bridge/micropython.h"
#include "bridge/proxy.h"
#include "bridge/text.h"
#include "bridge/functions.h"
#include "bridge/system.h"

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
