// proxy_wasm.h: the Proxy-Wasm ABI for filters in C, without a C library.
//
// Include it and define the callbacks you want; everything else is there:
//
//     #include "proxy_wasm.h"
//
//     pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
//       pw_set_header(PW_REQUEST_HEADERS, "x-hello", "C");
//       return PW_CONTINUE;
//     }
//
// Three layers, all in this file: what a proxy calls (proxy_on_*), what a proxy offers (proxy_*, exactly as in
// the ABI), and helpers on top of it (pw_*). A filter is one source file that includes this header once.
//
// Memory: a value that a helper returns as pw_text was allocated for you. Declare its variable with PW_AUTO and
// it is freed at the end of its block; or pass it to pw_free.

#ifndef PROXY_WASM_H
#define PROXY_WASM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The ABI version: 0.2.1 unless PW_ABI_0_1_0 or PW_ABI_0_2_0 is defined before this header is included.
#if defined(PW_ABI_0_1_0)
#define PW_ABI_MARKER proxy_abi_version_0_1_0
#elif defined(PW_ABI_0_2_0)
#define PW_ABI_MARKER proxy_abi_version_0_2_0
#else
#define PW_ABI_0_2_1 1
#define PW_ABI_MARKER proxy_abi_version_0_2_1
#endif

#define PW_NAME_(name) #name
#define PW_NAME(name) PW_NAME_(name)
#define PW_EXPORT(name) __attribute__((export_name(PW_NAME(name))))
#define PW_IMPORT(name) __attribute__((import_module("env"), import_name(PW_NAME(name))))
#define PW_UNUSED __attribute__((unused))
#define PW_HELPER static inline __attribute__((unused))
#define PW_INLINE static inline __attribute__((unused, always_inline))

PW_EXPORT(PW_ABI_MARKER) void PW_ABI_MARKER(void) {}

// --- values of the ABI -----------------------------------------------------------------------------------------

// What every host function returns.
typedef enum pw_result {
  PW_OK = 0,
  PW_NOT_FOUND = 1,
  PW_BAD_ARGUMENT = 2,
  PW_SERIALIZATION_FAILURE = 3,
  PW_PARSE_FAILURE = 4,
  PW_BAD_EXPRESSION = 5,
  PW_INVALID_MEMORY_ACCESS = 6,
  PW_EMPTY = 7,
  PW_CAS_MISMATCH = 8,
  PW_RESULT_MISMATCH = 9,
  PW_INTERNAL_FAILURE = 10,
  PW_BROKEN_CONNECTION = 11,
  PW_UNIMPLEMENTED = 12,
} pw_result;

typedef enum pw_log_level {
  PW_LOG_TRACE = 0,
  PW_LOG_DEBUG = 1,
  PW_LOG_INFO = 2,
  PW_LOG_WARN = 3,
  PW_LOG_ERROR = 4,
  PW_LOG_CRITICAL = 5,
} pw_log_level;

// What the callbacks of a stream return. PW_CONTINUE and PW_PAUSE suit all of them.
typedef enum pw_action {
  PW_CONTINUE = 0,
  PW_PAUSE = 1,

  PW_HEADERS_STOP_ITERATION = 1,
  PW_HEADERS_CONTINUE_AND_END_STREAM = 2,
  PW_HEADERS_STOP_ALL_AND_BUFFER = 3,
  PW_HEADERS_STOP_ALL_AND_WATERMARK = 4,

  PW_BODY_STOP_AND_BUFFER = 1,
  PW_BODY_STOP_AND_WATERMARK = 2,
  PW_BODY_STOP_NO_BUFFER = 3,
} pw_action;

typedef enum pw_map {
  PW_REQUEST_HEADERS = 0,
  PW_REQUEST_TRAILERS = 1,
  PW_RESPONSE_HEADERS = 2,
  PW_RESPONSE_TRAILERS = 3,
  PW_GRPC_INITIAL_METADATA = 4,
  PW_GRPC_TRAILING_METADATA = 5,
  PW_CALL_RESPONSE_HEADERS = 6,
  PW_CALL_RESPONSE_TRAILERS = 7,
} pw_map;

typedef enum pw_buffer {
  PW_REQUEST_BODY = 0,
  PW_RESPONSE_BODY = 1,
  PW_DOWNSTREAM_DATA = 2,
  PW_UPSTREAM_DATA = 3,
  PW_CALL_RESPONSE_BODY = 4,
  PW_GRPC_MESSAGE = 5,
  PW_VM_CONFIGURATION = 6,
  PW_PLUGIN_CONFIGURATION = 7,
  PW_CALL_DATA = 8,
} pw_buffer;

typedef enum pw_stream {
  PW_REQUEST = 0,
  PW_RESPONSE = 1,
  PW_DOWNSTREAM = 2,
  PW_UPSTREAM = 3,
} pw_stream;

typedef enum pw_peer { PW_PEER_UNKNOWN = 0, PW_PEER_LOCAL = 1, PW_PEER_REMOTE = 2 } pw_peer;

typedef enum pw_metric { PW_COUNTER = 0, PW_GAUGE = 1, PW_HISTOGRAM = 2 } pw_metric;

#define PW_GRPC_NONE (-1) // for proxy_send_local_response: derive the gRPC status from the HTTP status

// --- callbacks: define those you want ---------------------------------------------------------------------------
// A context is a plugin (its root context, parent 0) or a stream. Sizes and counts tell how much there is to read.

#define PW_CALLBACK(result, name, ...) PW_EXPORT(name) result name(__VA_ARGS__)

PW_CALLBACK(void, proxy_on_context_create, uint32_t context, uint32_t parent);
PW_CALLBACK(bool, proxy_on_vm_start, uint32_t context, uint32_t configuration_size);
PW_CALLBACK(bool, proxy_on_configure, uint32_t context, uint32_t configuration_size);
PW_CALLBACK(bool, proxy_validate_configuration, uint32_t context, uint32_t configuration_size);
PW_CALLBACK(void, proxy_on_tick, uint32_t context);

#if defined(PW_ABI_0_1_0)
PW_CALLBACK(pw_action, proxy_on_request_headers, uint32_t context, uint32_t count);
PW_CALLBACK(pw_action, proxy_on_response_headers, uint32_t context, uint32_t count);
#else
PW_CALLBACK(pw_action, proxy_on_request_headers, uint32_t context, uint32_t count, bool end_of_stream);
PW_CALLBACK(pw_action, proxy_on_response_headers, uint32_t context, uint32_t count, bool end_of_stream);
PW_CALLBACK(void, proxy_on_foreign_function, uint32_t context, uint32_t function, uint32_t size);
#endif
PW_CALLBACK(pw_action, proxy_on_request_body, uint32_t context, uint32_t size, bool end_of_stream);
PW_CALLBACK(pw_action, proxy_on_request_trailers, uint32_t context, uint32_t count);
PW_CALLBACK(pw_action, proxy_on_request_metadata, uint32_t context, uint32_t count);
PW_CALLBACK(pw_action, proxy_on_response_body, uint32_t context, uint32_t size, bool end_of_stream);
PW_CALLBACK(pw_action, proxy_on_response_trailers, uint32_t context, uint32_t count);
PW_CALLBACK(pw_action, proxy_on_response_metadata, uint32_t context, uint32_t count);

PW_CALLBACK(pw_action, proxy_on_new_connection, uint32_t context);
PW_CALLBACK(pw_action, proxy_on_downstream_data, uint32_t context, uint32_t size, bool end_of_stream);
PW_CALLBACK(pw_action, proxy_on_upstream_data, uint32_t context, uint32_t size, bool end_of_stream);
PW_CALLBACK(void, proxy_on_downstream_connection_close, uint32_t context, pw_peer peer);
PW_CALLBACK(void, proxy_on_upstream_connection_close, uint32_t context, pw_peer peer);

PW_CALLBACK(void, proxy_on_http_call_response, uint32_t context, uint32_t token, uint32_t headers,
            uint32_t body_size, uint32_t trailers);
PW_CALLBACK(void, proxy_on_grpc_receive_initial_metadata, uint32_t context, uint32_t token, uint32_t count);
PW_CALLBACK(void, proxy_on_grpc_receive, uint32_t context, uint32_t token, uint32_t size);
PW_CALLBACK(void, proxy_on_grpc_receive_trailing_metadata, uint32_t context, uint32_t token, uint32_t count);
PW_CALLBACK(void, proxy_on_grpc_close, uint32_t context, uint32_t token, uint32_t status);
PW_CALLBACK(void, proxy_on_queue_ready, uint32_t context, uint32_t queue);

PW_CALLBACK(bool, proxy_on_done, uint32_t context);
PW_CALLBACK(void, proxy_on_log, uint32_t context);
PW_CALLBACK(void, proxy_on_delete, uint32_t context);

// Envoy only.
PW_CALLBACK(void, envoy_on_resolve_dns, uint32_t context, uint32_t token, uint32_t size);
PW_CALLBACK(void, envoy_on_stats_update, uint32_t context, uint32_t size);

// --- host functions, as in the ABI ------------------------------------------------------------------------------
// A text is a pointer and a length. What a host hands back (out, out_size) it has allocated: free it.

#define PW_HOST(name, ...) PW_IMPORT(name) pw_result name(__VA_ARGS__)

// Log a line.
PW_HOST(proxy_log, pw_log_level level, const char *message, size_t size);
#if defined(PW_ABI_0_2_1)
// The level from which on the proxy keeps what is logged.
PW_HOST(proxy_get_log_level, pw_log_level *level);
#endif
// How the last call-out ended, inside its callback.
PW_HOST(proxy_get_status, uint32_t *code, char **message, size_t *size);

// A property of the stream or the proxy; the path's segments are separated by NUL.
PW_HOST(proxy_get_property, const char *path, size_t path_size, char **out, size_t *out_size);
PW_HOST(proxy_set_property, const char *path, size_t path_size, const char *value, size_t value_size);

// Answer instead of the upstream; headers are serialised pairs (see pw_encode_pairs).
PW_HOST(proxy_send_local_response, uint32_t status, const char *details, size_t details_size, const char *body,
        size_t body_size, const char *headers, size_t headers_size, int32_t grpc_status);

PW_HOST(proxy_get_header_map_value, pw_map map, const char *key, size_t key_size, char **out, size_t *out_size);
PW_HOST(proxy_add_header_map_value, pw_map map, const char *key, size_t key_size, const char *value,
        size_t value_size);
PW_HOST(proxy_replace_header_map_value, pw_map map, const char *key, size_t key_size, const char *value,
        size_t value_size);
PW_HOST(proxy_remove_header_map_value, pw_map map, const char *key, size_t key_size);
PW_HOST(proxy_get_header_map_pairs, pw_map map, char **out, size_t *out_size);
PW_HOST(proxy_set_header_map_pairs, pw_map map, const char *pairs, size_t size);
// The bytes of all names and values; the number of headers is what a callback gets as count.
PW_HOST(proxy_get_header_map_size, pw_map map, size_t *size);

PW_HOST(proxy_get_buffer_bytes, pw_buffer buffer, size_t start, size_t max_size, char **out, size_t *out_size);
PW_HOST(proxy_get_buffer_status, pw_buffer buffer, size_t *size, uint32_t *flags);
// Envoy: start 0 replaces the first `size` bytes (0 prepends, SIZE_MAX replaces all), start >= length appends.
PW_HOST(proxy_set_buffer_bytes, pw_buffer buffer, size_t start, size_t size, const char *value,
        size_t value_size);

// Call out; the answer comes in proxy_on_http_call_response of the root context.
PW_HOST(proxy_http_call, const char *upstream, size_t upstream_size, const char *headers, size_t headers_size,
        const char *body, size_t body_size, const char *trailers, size_t trailers_size, uint32_t timeout_ms,
        uint32_t *token);
PW_HOST(proxy_grpc_call, const char *upstream, size_t upstream_size, const char *service, size_t service_size,
        const char *method, size_t method_size, const char *metadata, size_t metadata_size,
        const char *message, size_t message_size, uint32_t timeout_ms, uint32_t *token);
PW_HOST(proxy_grpc_stream, const char *upstream, size_t upstream_size, const char *service,
        size_t service_size, const char *method, size_t method_size, const char *metadata,
        size_t metadata_size, uint32_t *token);
PW_HOST(proxy_grpc_send, uint32_t token, const char *message, size_t size, bool end_of_stream);
PW_HOST(proxy_grpc_cancel, uint32_t token);
PW_HOST(proxy_grpc_close, uint32_t token);

// Data that all virtual machines of one vm_id see. cas 0 writes always.
PW_HOST(proxy_get_shared_data, const char *key, size_t key_size, char **out, size_t *out_size, uint32_t *cas);
PW_HOST(proxy_set_shared_data, const char *key, size_t key_size, const char *value, size_t value_size,
        uint32_t cas);
PW_HOST(proxy_register_shared_queue, const char *name, size_t size, uint32_t *queue);
PW_HOST(proxy_resolve_shared_queue, const char *vm_id, size_t vm_id_size, const char *name, size_t name_size,
        uint32_t *queue);
PW_HOST(proxy_enqueue_shared_queue, uint32_t queue, const char *value, size_t size);
PW_HOST(proxy_dequeue_shared_queue, uint32_t queue, char **out, size_t *out_size);

PW_HOST(proxy_define_metric, pw_metric type, const char *name, size_t size, uint32_t *metric);
PW_HOST(proxy_increment_metric, uint32_t metric, int64_t offset);
PW_HOST(proxy_record_metric, uint32_t metric, uint64_t value);
PW_HOST(proxy_get_metric, uint32_t metric, uint64_t *value);

// Call proxy_on_tick of the root context again and again; 0 stops it.
PW_HOST(proxy_set_tick_period_milliseconds, uint32_t period);
// Nanoseconds since 1970.
PW_HOST(proxy_get_current_time_nanoseconds, uint64_t *time);

// Act for another context until the callback returns: for a stream in the answer to its call-out.
PW_HOST(proxy_set_effective_context, uint32_t context);
// Let go of a context whose proxy_on_done returned false.
PW_HOST(proxy_done, void);
PW_HOST(proxy_call_foreign_function, const char *name, size_t name_size, const char *argument,
        size_t argument_size, char **out, size_t *out_size);
// Envoy only: look a host name up; the answer comes in envoy_on_resolve_dns.
PW_HOST(envoy_resolve_dns, const char *name, size_t size, uint32_t *token);

#if defined(PW_ABI_0_1_0)
PW_HOST(proxy_get_configuration, char **out, size_t *out_size);
PW_HOST(proxy_continue_request, void);
PW_HOST(proxy_continue_response, void);
PW_HOST(proxy_clear_route_cache, void);
#else
// Go on with a stream that a callback paused.
PW_HOST(proxy_continue_stream, pw_stream stream);
// Reset a stream.
PW_HOST(proxy_close_stream, pw_stream stream);
#endif

// --- memory ------------------------------------------------------------------------------------------------------
// Blocks come in size classes, four to each doubling, and a freed block waits in the list of its class: what is
// allocated and freed again and again never makes the memory grow.

extern unsigned char __heap_base;

typedef struct pw_block_ {
  struct pw_block_ *next;
  uint32_t class;
  uint32_t reserved[2]; // keeps what follows aligned to 16 bytes
} pw_block_;

#define PW_CLASSES_ 116
static pw_block_ *pw_free_[PW_CLASSES_];
static uintptr_t pw_top_;

// The class of a size (header included, a multiple of 16), and the size that blocks of that class have.
PW_HELPER uint32_t pw_class_(size_t *size) {
  size_t n = (*size + 15) & ~(size_t)15;
  if (n <= 128) {
    *size = n;
    return n / 16;
  }
  uint32_t bits = 31 - (uint32_t)__builtin_clz((uint32_t)(n - 1)); // 2^bits < n <= 2^(bits + 1)
  size_t step = (size_t)1 << (bits - 2);
  uint32_t part = (uint32_t)((n - ((size_t)1 << bits) + step - 1) / step); // 1 to 4
  *size = ((size_t)1 << bits) + part * step;
  return 8 + (bits - 7) * 4 + part;
}

// Memory of at least that many bytes, aligned to 16; NULL where there is none left.
PW_HELPER void *malloc(size_t size) {
  if (size > 0x7ff00000) return NULL;
  size += sizeof(pw_block_);
  uint32_t class = pw_class_(&size);
  for (uint32_t i = class; i < class + 4 && i < PW_CLASSES_; i++) {
    pw_block_ *block = pw_free_[i];
    if (block) {
      pw_free_[i] = block->next;
      return block + 1;
    }
  }
  if (!pw_top_) pw_top_ = ((uintptr_t)&__heap_base + 15) & ~(uintptr_t)15;
  uint64_t end = (uint64_t)pw_top_ + size, have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
  if (end > have) {
    size_t pages = (size_t)((end - have + 65535) >> 16);
    if (end > 0xffff0000u || __builtin_wasm_memory_grow(0, pages) == (size_t)-1) return NULL;
  }
  pw_block_ *block = (pw_block_ *)pw_top_;
  pw_top_ += size;
  block->class = class;
  return block + 1;
}

// Give memory back; NULL is nothing.
PW_HELPER void free(void *memory) {
  if (!memory) return;
  pw_block_ *block = (pw_block_ *)memory - 1;
  if (block->class >= PW_CLASSES_) __builtin_trap(); // not from malloc
  block->next = pw_free_[block->class];
  pw_free_[block->class] = block;
}

PW_HELPER void *calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  void *memory = malloc(bytes);
  if (memory) __builtin_memset(memory, 0, bytes);
  return memory;
}

PW_HELPER size_t pw_capacity_(const void *memory) {
  uint32_t class = ((const pw_block_ *)memory - 1)->class;
  if (class <= 8) return class * 16 - sizeof(pw_block_);
  uint32_t bits = (class - 9) / 4 + 7, part = (class - 9) % 4 + 1;
  return ((size_t)1 << bits) + part * ((size_t)1 << (bits - 2)) - sizeof(pw_block_);
}

PW_HELPER void *realloc(void *memory, size_t size) {
  if (memory && size <= pw_capacity_(memory)) return memory;
  void *fresh = malloc(size);
  if (fresh && memory) {
    __builtin_memcpy(fresh, memory, pw_capacity_(memory));
    free(memory);
  }
  return fresh;
}

// What the proxy calls for memory to hand values over in.
PW_EXPORT(proxy_on_memory_allocate) void *proxy_on_memory_allocate(size_t size) { return malloc(size); }

// --- bytes and text ----------------------------------------------------------------------------------------------

PW_INLINE void *memcpy(void *to, const void *from, size_t size) { return __builtin_memcpy(to, from, size); }
PW_INLINE void *memmove(void *to, const void *from, size_t size) { return __builtin_memmove(to, from, size); }
PW_INLINE void *memset(void *to, int byte, size_t size) { return __builtin_memset(to, byte, size); }

PW_HELPER int memcmp(const void *a, const void *b, size_t size) {
  const unsigned char *x = a, *y = b;
  for (; size; size--, x++, y++)
    if (*x != *y) return *x - *y;
  return 0;
}

PW_HELPER void *memchr(const void *in, int byte, size_t size) {
  for (const unsigned char *at = in; size; size--, at++)
    if (*at == (unsigned char)byte) return (void *)at;
  return NULL;
}

PW_HELPER size_t pw_strlen_(const char *text) {
  const char *end = text;
  while (*end) end++;
  return (size_t)(end - text);
}

// Known at compile time for a literal.
PW_INLINE size_t strlen(const char *text) {
  return __builtin_constant_p(__builtin_strlen(text)) ? __builtin_strlen(text) : pw_strlen_(text);
}

PW_HELPER int strcmp(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (unsigned char)*a - (unsigned char)*b;
}

PW_HELPER int strncmp(const char *a, const char *b, size_t size) {
  for (; size; size--, a++, b++)
    if (*a != *b || !*a) return (unsigned char)*a - (unsigned char)*b;
  return 0;
}

PW_HELPER char *strchr(const char *in, int byte) {
  for (;; in++) {
    if (*in == (char)byte) return (char *)in;
    if (!*in) return NULL;
  }
}

// The compiler calls this for 64-bit products that are checked for overflow; it is linked only if it is needed.
__int128 __multi3(__int128 a, __int128 b);
__int128 __multi3(__int128 a, __int128 b) {
  uint64_t x = (uint64_t)a, y = (uint64_t)b, mask = 0xffffffff;
  uint64_t low = (x & mask) * (y & mask), left = (x >> 32) * (y & mask), right = (x & mask) * (y >> 32);
  uint64_t middle = (low >> 32) + (left & mask) + (right & mask);
  uint64_t high = (x >> 32) * (y >> 32) + (left >> 32) + (right >> 32) + (middle >> 32);
  high += x * (uint64_t)(b >> 64) + (uint64_t)(a >> 64) * y;
  return (__int128)((unsigned __int128)high << 64 | (middle << 32 | (low & mask)));
}

// A text with its size. Text that came from the proxy belongs to the filter and is freed with pw_free; data is
// NULL where there is none (no such header), and ends with NUL only if the proxy's text did.
typedef struct pw_text {
  char *data;
  size_t size;
} pw_text;

PW_HELPER void pw_free(pw_text *text) {
  free(text->data);
  *text = (pw_text){NULL, 0};
}

// Frees the text at the end of its block: PW_AUTO pw_text path = pw_get_header(PW_REQUEST_HEADERS, ":path");
#define PW_AUTO __attribute__((cleanup(pw_free)))

PW_INLINE bool pw_equal(pw_text text, const char *other) {
  return text.size == strlen(other) && memcmp(text.data, other, text.size) == 0;
}

PW_INLINE bool pw_starts_with(pw_text text, const char *start) {
  return text.size >= strlen(start) && memcmp(text.data, start, strlen(start)) == 0;
}

PW_INLINE bool pw_ends_with(pw_text text, const char *end) {
  return text.size >= strlen(end) && memcmp(text.data + text.size - strlen(end), end, strlen(end)) == 0;
}

// Where a text first contains another: its offset, or -1.
PW_HELPER ptrdiff_t pw_find(pw_text text, const char *part) {
  size_t size = strlen(part);
  for (size_t at = 0; at + size <= text.size; at++)
    if (memcmp(text.data + at, part, size) == 0) return (ptrdiff_t)at;
  return -1;
}

PW_HELPER bool pw_equal_ignoring_case(pw_text text, const char *other) {
  if (text.size != strlen(other)) return false;
  for (size_t i = 0; i < text.size; i++) {
    unsigned char a = (unsigned char)text.data[i], b = (unsigned char)other[i];
    if (a >= 'A' && a <= 'Z') a += 32;
    if (b >= 'A' && b <= 'Z') b += 32;
    if (a != b) return false;
  }
  return true;
}

// The whole of a text as a decimal number; false where it is none or too large.
PW_HELPER bool pw_to_int(pw_text text, int64_t *number) {
  size_t at = 0;
  bool negative = text.size && text.data[0] == '-';
  if (negative) at++;
  if (at == text.size) return false;
  int64_t value = 0;
  for (; at < text.size; at++) {
    int digit = text.data[at] - '0';
    if (digit < 0 || digit > 9) return false;
    if (value < INT64_MIN / 10) return false;
    if (__builtin_sub_overflow(value * 10, digit, &value)) return false; // INT64_MIN has no positive twin
  }
  if (!negative && __builtin_sub_overflow((int64_t)0, value, &value)) return false;
  *number = value;
  return true;
}

PW_HELPER size_t pw_digits_(char *end, uint64_t value, unsigned base) {
  char *at = end;
  do *--at = "0123456789abcdef"[value % base];
  while (value /= base);
  return (size_t)(end - at);
}

// Write formatted text, always ended by NUL, and return the size it would have without a limit. Understands
// %s %.*s %d %i %u %x %c %p %% with the sizes l, ll and z, a width, 0 and - flags.
PW_HELPER size_t pw_vformat(char *out, size_t limit, const char *format, va_list arguments) {
  size_t size = 0;
#define PW_PUT_(byte) ((void)(size + 1 < limit ? out[size] = (byte) : 0), size++)
  for (; *format; format++) {
    if (*format != '%') {
      PW_PUT_(*format);
      continue;
    }
    bool left = false, zero = false;
    for (format++; *format == '-' || *format == '0'; format++) *format == '-' ? (left = true) : (zero = true);
    size_t width = 0, most = (size_t)-1, longs = 0;
    for (; *format >= '0' && *format <= '9'; format++) width = width * 10 + (size_t)(*format - '0');
    if (*format == '.') {
      most = 0;
      if (*++format == '*') {
        int precision = va_arg(arguments, int);
        most = precision < 0 ? (size_t)-1 : (size_t)precision;
        format++;
      }
      for (; *format >= '0' && *format <= '9'; format++) most = most * 10 + (size_t)(*format - '0');
    }
    for (; *format == 'l' || *format == 'z'; format++) longs += *format == 'l';
    char digits[24], *end = digits + sizeof digits, sign = 0;
    const char *text = end;
    size_t length = 0;
    uint64_t number = 0;
    switch (*format) {
    case 'd':
    case 'i': {
      int64_t value = longs > 1 ? va_arg(arguments, int64_t) : va_arg(arguments, int);
      sign = value < 0 ? '-' : 0;
      number = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
      text -= length = pw_digits_(end, number, 10);
      break;
    }
    case 'u':
    case 'x':
    case 'p':
      number = longs > 1 ? va_arg(arguments, uint64_t) : va_arg(arguments, uint32_t);
      text -= length = pw_digits_(end, number, *format == 'u' ? 10 : 16);
      break;
    case 'c':
      digits[0] = (char)va_arg(arguments, int);
      text = digits;
      length = 1;
      break;
    case 's':
      text = va_arg(arguments, const char *);
      if (!text) text = most < 6 ? "" : "(null)";
      while (length < most && text[length]) length++;
      break;
    case '%':
      text = "%";
      length = 1;
      break;
    default: // not understood: shown as it stands
      text = "%";
      length = 1;
      format--;
    }
    if (sign && zero) PW_PUT_(sign);
    size_t pad = width > length + (sign != 0) ? width - length - (sign != 0) : 0;
    if (!left)
      for (; pad; pad--) PW_PUT_(zero ? '0' : ' ');
    if (sign && !zero) PW_PUT_(sign);
    for (size_t i = 0; i < length; i++) PW_PUT_(text[i]);
    for (; pad; pad--) PW_PUT_(' ');
  }
#undef PW_PUT_
  if (limit) out[size < limit ? size : limit - 1] = 0;
  return size;
}

__attribute__((format(printf, 3, 4))) PW_HELPER size_t pw_format(char *out, size_t limit, const char *format,
                                                                 ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t size = pw_vformat(out, limit, format, arguments);
  va_end(arguments);
  return size;
}

// --- log ----------------------------------------------------------------------------------------------------------

#define PW_LINE_SIZE 1024 // longer lines are cut

__attribute__((format(printf, 2, 3))) PW_HELPER void pw_log(pw_log_level level, const char *format, ...) {
  char line[PW_LINE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  size_t size = pw_vformat(line, sizeof line, format, arguments);
  va_end(arguments);
  proxy_log(level, line, size < sizeof line ? size : sizeof line - 1);
}

#define pw_log_trace(...) pw_log(PW_LOG_TRACE, __VA_ARGS__)
#define pw_log_debug(...) pw_log(PW_LOG_DEBUG, __VA_ARGS__)
#define pw_log_info(...) pw_log(PW_LOG_INFO, __VA_ARGS__)
#define pw_log_warn(...) pw_log(PW_LOG_WARN, __VA_ARGS__)
#define pw_log_error(...) pw_log(PW_LOG_ERROR, __VA_ARGS__)
#define pw_log_critical(...) pw_log(PW_LOG_CRITICAL, __VA_ARGS__)

// --- headers ------------------------------------------------------------------------------------------------------

// The first value of a header; data is NULL where there is none (or where the value is empty: see pw_has_header).
PW_INLINE pw_text pw_get_header(pw_map map, const char *name) {
  pw_text value = {NULL, 0};
  if (proxy_get_header_map_value(map, name, strlen(name), &value.data, &value.size) != PW_OK)
    return (pw_text){NULL, 0};
  return value;
}

// Copy the first value of a header, ended by NUL and cut to fit; its whole size, 0 where there is none.
PW_INLINE size_t pw_copy_header(pw_map map, const char *name, char *out, size_t limit) {
  PW_AUTO pw_text value = pw_get_header(map, name);
  size_t size = value.size < limit ? value.size : limit - 1;
  if (limit) {
    if (size) memcpy(out, value.data, size);
    out[size] = 0;
  }
  return value.size;
}

PW_INLINE bool pw_has_header(pw_map map, const char *name) {
  PW_AUTO pw_text value = {NULL, 0};
  return proxy_get_header_map_value(map, name, strlen(name), &value.data, &value.size) == PW_OK;
}

// Whether the first value of a header is this one.
PW_INLINE bool pw_header_is(pw_map map, const char *name, const char *value) {
  PW_AUTO pw_text has = pw_get_header(map, name);
  return has.data && pw_equal(has, value);
}

PW_INLINE pw_result pw_add_header(pw_map map, const char *name, const char *value) {
  return proxy_add_header_map_value(map, name, strlen(name), value, strlen(value));
}

// Put this value in place of all that the header has.
PW_INLINE pw_result pw_set_header(pw_map map, const char *name, const char *value) {
  return proxy_replace_header_map_value(map, name, strlen(name), value, strlen(value));
}

PW_INLINE pw_result pw_set_header_text(pw_map map, const char *name, pw_text value) {
  return proxy_replace_header_map_value(map, name, strlen(name), value.data, value.size);
}

PW_INLINE pw_result pw_remove_header(pw_map map, const char *name) {
  return proxy_remove_header_map_value(map, name, strlen(name));
}

// All headers of a map, to walk through:
//     PW_AUTO pw_text pairs = pw_get_headers(PW_REQUEST_HEADERS);
//     pw_cursor at = {0};
//     for (pw_text name, value; pw_next(pairs, &at, &name, &value);) ...
// Names and values end with NUL, lie inside of pairs and are not freed.
PW_HELPER pw_text pw_get_headers(pw_map map) {
  pw_text pairs = {NULL, 0};
  if (proxy_get_header_map_pairs(map, &pairs.data, &pairs.size) != PW_OK) return (pw_text){NULL, 0};
  return pairs;
}

typedef struct pw_cursor {
  uint32_t index, offset;
} pw_cursor;

PW_HELPER bool pw_next(pw_text pairs, pw_cursor *at, pw_text *name, pw_text *value) {
  uint32_t count, sizes[2];
  if (pairs.size < 4) return false;
  memcpy(&count, pairs.data, 4);
  if (at->index >= count) return false;
  memcpy(sizes, pairs.data + 4 + 8 * at->index, 8);
  if (!at->index) at->offset = 4 + 8 * count;
  *name = (pw_text){pairs.data + at->offset, sizes[0]};
  *value = (pw_text){pairs.data + at->offset + sizes[0] + 1, sizes[1]};
  at->offset += sizes[0] + sizes[1] + 2;
  at->index++;
  return true;
}

typedef struct pw_header {
  const char *name, *value;
} pw_header;

// Headers in the form in which host functions take them; free it with pw_free. data is NULL without memory.
PW_HELPER pw_text pw_encode_pairs(const pw_header *headers, size_t count) {
  size_t size = 4;
  for (size_t i = 0; i < count; i++) size += 10 + strlen(headers[i].name) + strlen(headers[i].value);
  char *out = malloc(size);
  if (!out) return (pw_text){NULL, 0};
  char *lengths = out + 4, *text = lengths + 8 * count;
  uint32_t number = (uint32_t)count;
  memcpy(out, &number, 4);
  for (size_t i = 0; i < count; i++) {
    const char *part[2] = {headers[i].name, headers[i].value};
    for (int j = 0; j < 2; j++) {
      uint32_t length = (uint32_t)strlen(part[j]);
      memcpy(lengths, &length, 4);
      memcpy(text, part[j], length + 1);
      lengths += 4;
      text += length + 1;
    }
  }
  return (pw_text){out, size};
}

// --- bodies, configuration, properties, answers ---------------------------------------------------------------------

// Bytes of a body or another buffer; data is NULL where there are none.
PW_HELPER pw_text pw_get_bytes(pw_buffer buffer, size_t start, size_t size) {
  pw_text bytes = {NULL, 0};
  if (proxy_get_buffer_bytes(buffer, start, size, &bytes.data, &bytes.size) != PW_OK)
    return (pw_text){NULL, 0};
  return bytes;
}

// Put these bytes in place of a whole body. Remove content-length in the headers callback before that.
PW_HELPER pw_result pw_set_body(pw_buffer body, const char *bytes, size_t size) {
  return proxy_set_buffer_bytes(body, 0, SIZE_MAX, bytes, size);
}

// The configuration of the plugin; inside proxy_on_configure only.
PW_HELPER pw_text pw_get_configuration(void) {
#if defined(PW_ABI_0_1_0)
  pw_text bytes = {NULL, 0};
  return proxy_get_configuration(&bytes.data, &bytes.size) == PW_OK ? bytes : (pw_text){NULL, 0};
#else
  return pw_get_bytes(PW_PLUGIN_CONFIGURATION, 0, SIZE_MAX);
#endif
}

// A property by its path with dots: pw_get_property("request.path"). Numbers are in their binary form.
PW_HELPER pw_text pw_get_property(const char *path) {
  pw_text value = {NULL, 0};
  size_t size = strlen(path);
  char *segments = malloc(size + 1);
  if (!segments) return value;
  for (size_t i = 0; i < size; i++) segments[i] = path[i] == '.' ? 0 : path[i];
  if (proxy_get_property(segments, size, &value.data, &value.size) != PW_OK) value = (pw_text){NULL, 0};
  free(segments);
  return value;
}

// Keep a value with the stream under a name of your own, for its later callbacks, for filters after this one and
// for the access log.
PW_INLINE pw_result pw_set_property_text(const char *name, pw_text value) {
  return proxy_set_property(name, strlen(name), value.data, value.size);
}

PW_INLINE pw_result pw_set_property(const char *name, const char *value) {
  return proxy_set_property(name, strlen(name), value, strlen(value));
}

// A property that is a number (response.code, request.size, ...); false where there is none.
PW_HELPER bool pw_get_number(const char *path, int64_t *number) {
  PW_AUTO pw_text value = pw_get_property(path);
  if (value.size != 8) return false;
  memcpy(number, value.data, 8);
  return true;
}

// Answer instead of the upstream, with these headers. Return PW_PAUSE after it.
PW_HELPER pw_result pw_respond_with(uint32_t status, const char *body, const pw_header *headers, size_t count) {
  PW_AUTO pw_text pairs = pw_encode_pairs(headers, count);
  return proxy_send_local_response(status, NULL, 0, body, strlen(body), pairs.data, pairs.size, PW_GRPC_NONE);
}

// Answer instead of the upstream. Return PW_PAUSE after it.
PW_HELPER pw_result pw_respond(uint32_t status, const char *body) {
  return proxy_send_local_response(status, NULL, 0, body, strlen(body), NULL, 0, PW_GRPC_NONE);
}

// Call out over a cluster; headers need :method, :path and :authority. The answer comes in
// proxy_on_http_call_response of the root context, with the token that is written here.
PW_HELPER pw_result pw_http_call(const char *cluster, const pw_header *headers, size_t count, const char *body,
                                 uint32_t timeout_ms, uint32_t *token) {
  PW_AUTO pw_text pairs = pw_encode_pairs(headers, count);
  return proxy_http_call(cluster, strlen(cluster), pairs.data, pairs.size, body, strlen(body), NULL, 0,
                         timeout_ms, token);
}

// Nanoseconds since 1970.
PW_HELPER uint64_t pw_now(void) {
  uint64_t time = 0;
  proxy_get_current_time_nanoseconds(&time);
  return time;
}

#endif // PROXY_WASM_H
