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

#include "bridge/quickjs.h"
#include "bridge/proxy.h"
#include "bridge/functions.h"
#include "bridge/system.h"

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
