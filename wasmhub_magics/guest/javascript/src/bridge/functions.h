// Functions that JavaScript calls.

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
