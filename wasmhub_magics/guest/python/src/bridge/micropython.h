// MicroPython's own functions and values.

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
