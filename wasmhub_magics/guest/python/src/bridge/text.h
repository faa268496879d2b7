// Text and bytes: what a host function gave waits here to be taken. A byte that is not UTF-8 becomes a surrogate.

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
