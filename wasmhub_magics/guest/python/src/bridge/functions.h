// Functions that Python calls.

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
