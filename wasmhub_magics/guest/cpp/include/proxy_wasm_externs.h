// The ABI as it is: what a proxy offers (imports from env) and what it calls (exports), version 0.2.1.
//
// A text is a pointer and a length. What a host function hands back was allocated with malloc: free it, or better,
// use the functions of proxy_wasm_api.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proxy_wasm_common.h"
#include "proxy_wasm_enums.h"

#define PROXY_WASM_HOST(name, ...)                                                                               \
  extern "C" WasmResult name(__VA_ARGS__) __attribute__((import_module("env"), import_name(#name)))

PROXY_WASM_HOST(proxy_log, LogLevel level, const char *message, size_t size);
PROXY_WASM_HOST(proxy_get_log_level, LogLevel *level);
PROXY_WASM_HOST(proxy_get_status, uint32_t *code, const char **message, size_t *size);
PROXY_WASM_HOST(proxy_get_current_time_nanoseconds, uint64_t *nanoseconds);
PROXY_WASM_HOST(proxy_set_tick_period_milliseconds, uint32_t milliseconds);

PROXY_WASM_HOST(proxy_get_property, const char *path, size_t path_size, const char **value, size_t *value_size);
PROXY_WASM_HOST(proxy_set_property, const char *path, size_t path_size, const char *value, size_t value_size);

PROXY_WASM_HOST(proxy_continue_stream, WasmStreamType stream);
PROXY_WASM_HOST(proxy_close_stream, WasmStreamType stream);
PROXY_WASM_HOST(proxy_send_local_response, uint32_t code, const char *details, size_t details_size, const char *body,
                size_t body_size, const char *headers, size_t headers_size, uint32_t grpc_status);

PROXY_WASM_HOST(proxy_add_header_map_value, WasmHeaderMapType map, const char *key, size_t key_size,
                const char *value, size_t value_size);
PROXY_WASM_HOST(proxy_get_header_map_value, WasmHeaderMapType map, const char *key, size_t key_size,
                const char **value, size_t *value_size);
PROXY_WASM_HOST(proxy_replace_header_map_value, WasmHeaderMapType map, const char *key, size_t key_size,
                const char *value, size_t value_size);
PROXY_WASM_HOST(proxy_remove_header_map_value, WasmHeaderMapType map, const char *key, size_t key_size);
PROXY_WASM_HOST(proxy_get_header_map_pairs, WasmHeaderMapType map, const char **pairs, size_t *size);
PROXY_WASM_HOST(proxy_set_header_map_pairs, WasmHeaderMapType map, const char *pairs, size_t size);
PROXY_WASM_HOST(proxy_get_header_map_size, WasmHeaderMapType map, size_t *size); // in bytes

PROXY_WASM_HOST(proxy_get_buffer_bytes, WasmBufferType buffer, uint32_t start, uint32_t length, const char **bytes,
                size_t *size);
PROXY_WASM_HOST(proxy_get_buffer_status, WasmBufferType buffer, size_t *length, uint32_t *flags);
PROXY_WASM_HOST(proxy_set_buffer_bytes, WasmBufferType buffer, uint32_t start, uint32_t length, const char *bytes,
                size_t size);

PROXY_WASM_HOST(proxy_http_call, const char *cluster, size_t cluster_size, void *headers, size_t headers_size,
                const char *body, size_t body_size, void *trailers, size_t trailers_size, uint32_t milliseconds,
                uint32_t *token);
PROXY_WASM_HOST(proxy_grpc_call, const char *service, size_t service_size, const char *service_name,
                size_t service_name_size, const char *method, size_t method_size, void *metadata,
                size_t metadata_size, const char *request, size_t request_size, uint32_t milliseconds,
                uint32_t *token);
PROXY_WASM_HOST(proxy_grpc_stream, const char *service, size_t service_size, const char *service_name,
                size_t service_name_size, const char *method, size_t method_size, void *metadata,
                size_t metadata_size, uint32_t *token);
PROXY_WASM_HOST(proxy_grpc_send, uint32_t token, const char *message, size_t size, uint32_t end_of_stream);
PROXY_WASM_HOST(proxy_grpc_cancel, uint32_t token);
PROXY_WASM_HOST(proxy_grpc_close, uint32_t token);

PROXY_WASM_HOST(proxy_get_shared_data, const char *key, size_t key_size, const char **value, size_t *value_size,
                uint32_t *cas);
PROXY_WASM_HOST(proxy_set_shared_data, const char *key, size_t key_size, const char *value, size_t value_size,
                uint32_t cas);
PROXY_WASM_HOST(proxy_register_shared_queue, const char *name, size_t size, uint32_t *token);
PROXY_WASM_HOST(proxy_resolve_shared_queue, const char *vm_id, size_t vm_id_size, const char *name, size_t size,
                uint32_t *token);
PROXY_WASM_HOST(proxy_enqueue_shared_queue, uint32_t token, const char *data, size_t size);
PROXY_WASM_HOST(proxy_dequeue_shared_queue, uint32_t token, const char **data, size_t *size);

PROXY_WASM_HOST(proxy_define_metric, MetricType type, const char *name, size_t size, uint32_t *metric);
PROXY_WASM_HOST(proxy_increment_metric, uint32_t metric, int64_t offset);
PROXY_WASM_HOST(proxy_record_metric, uint32_t metric, uint64_t value);
PROXY_WASM_HOST(proxy_get_metric, uint32_t metric, uint64_t *value);

PROXY_WASM_HOST(proxy_set_effective_context, uint32_t context);
PROXY_WASM_HOST(proxy_done);
PROXY_WASM_HOST(proxy_call_foreign_function, const char *name, size_t name_size, const char *argument,
                size_t argument_size, char **result, size_t *result_size);

// Of ABI 0.1.0: declared for old sources; a proxy refuses to load a filter of 0.2.1 that calls them.
PROXY_WASM_HOST(proxy_get_configuration, const char **configuration, size_t *size);
PROXY_WASM_HOST(proxy_clear_route_cache);
PROXY_WASM_HOST(proxy_continue_request);
PROXY_WASM_HOST(proxy_continue_response);

// Envoy only: look a host name up; the answer comes in envoy_on_resolve_dns.
PROXY_WASM_HOST(envoy_resolve_dns, const char *name, size_t size, uint32_t *token);

// Callbacks. The runtime defines all of them and calls the methods of contexts; a filter that defines one itself is
// called instead.
#define PROXY_WASM_CALLBACK(result, name, ...)                                                                   \
  extern "C" result name(__VA_ARGS__) __attribute__((export_name(#name)))

// The version of the ABI, by the name that is exported.
PROXY_WASM_CALLBACK(void, proxy_abi_version_0_1_0);
PROXY_WASM_CALLBACK(void, proxy_abi_version_0_2_0);
PROXY_WASM_CALLBACK(void, proxy_abi_version_0_2_1);

// Memory for what the proxy hands over.
PROXY_WASM_CALLBACK(void *, proxy_on_memory_allocate, size_t size);

PROXY_WASM_CALLBACK(void, proxy_on_context_create, uint32_t context, uint32_t parent);
PROXY_WASM_CALLBACK(uint32_t, proxy_on_vm_start, uint32_t root, uint32_t configuration_size);
PROXY_WASM_CALLBACK(uint32_t, proxy_validate_configuration, uint32_t root, uint32_t configuration_size);
PROXY_WASM_CALLBACK(uint32_t, proxy_on_configure, uint32_t root, uint32_t configuration_size);
PROXY_WASM_CALLBACK(void, proxy_on_tick, uint32_t root);
PROXY_WASM_CALLBACK(void, proxy_on_queue_ready, uint32_t root, uint32_t token);
PROXY_WASM_CALLBACK(void, proxy_on_foreign_function, uint32_t root, uint32_t function, uint32_t size);

PROXY_WASM_CALLBACK(FilterStatus, proxy_on_new_connection, uint32_t context);
PROXY_WASM_CALLBACK(FilterStatus, proxy_on_downstream_data, uint32_t context, uint32_t size, uint32_t end_of_stream);
PROXY_WASM_CALLBACK(FilterStatus, proxy_on_upstream_data, uint32_t context, uint32_t size, uint32_t end_of_stream);
PROXY_WASM_CALLBACK(void, proxy_on_downstream_connection_close, uint32_t context, uint32_t close_type);
PROXY_WASM_CALLBACK(void, proxy_on_upstream_connection_close, uint32_t context, uint32_t close_type);

PROXY_WASM_CALLBACK(FilterHeadersStatus, proxy_on_request_headers, uint32_t context, uint32_t headers,
                    uint32_t end_of_stream);
PROXY_WASM_CALLBACK(FilterDataStatus, proxy_on_request_body, uint32_t context, uint32_t size, uint32_t end_of_stream);
PROXY_WASM_CALLBACK(FilterTrailersStatus, proxy_on_request_trailers, uint32_t context, uint32_t trailers);
PROXY_WASM_CALLBACK(FilterMetadataStatus, proxy_on_request_metadata, uint32_t context, uint32_t elements);
PROXY_WASM_CALLBACK(FilterHeadersStatus, proxy_on_response_headers, uint32_t context, uint32_t headers,
                    uint32_t end_of_stream);
PROXY_WASM_CALLBACK(FilterDataStatus, proxy_on_response_body, uint32_t context, uint32_t size,
                    uint32_t end_of_stream);
PROXY_WASM_CALLBACK(FilterTrailersStatus, proxy_on_response_trailers, uint32_t context, uint32_t trailers);
PROXY_WASM_CALLBACK(FilterMetadataStatus, proxy_on_response_metadata, uint32_t context, uint32_t elements);

PROXY_WASM_CALLBACK(void, proxy_on_http_call_response, uint32_t context, uint32_t token, uint32_t headers,
                    uint32_t body_size, uint32_t trailers);
PROXY_WASM_CALLBACK(void, proxy_on_grpc_receive_initial_metadata, uint32_t context, uint32_t token, uint32_t headers);
PROXY_WASM_CALLBACK(void, proxy_on_grpc_receive, uint32_t context, uint32_t token, uint32_t size);
PROXY_WASM_CALLBACK(void, proxy_on_grpc_receive_trailing_metadata, uint32_t context, uint32_t token,
                    uint32_t trailers);
PROXY_WASM_CALLBACK(void, proxy_on_grpc_close, uint32_t context, uint32_t token, uint32_t status);

PROXY_WASM_CALLBACK(uint32_t, proxy_on_done, uint32_t context);
PROXY_WASM_CALLBACK(void, proxy_on_log, uint32_t context);
PROXY_WASM_CALLBACK(void, proxy_on_delete, uint32_t context);
