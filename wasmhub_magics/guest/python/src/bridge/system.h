// What MicroPython imports besides: most of JavaScript, which is not here, and the operating system.

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
