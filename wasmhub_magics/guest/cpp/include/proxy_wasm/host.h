// What a filter asks of the proxy: headers, bodies, properties, answers, calls, shared data, queues, time.
#pragma once

#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../proxy_wasm_externs.h"
#include "data.h"
#include "log.h"

// --- headers and trailers ---

inline WasmResult addHeaderMapValue(WasmHeaderMapType map, std::string_view name, std::string_view value) {
  return proxy_add_header_map_value(map, name.data(), name.size(), value.data(), value.size());
}

// The first value of a header; its data is null where there is none. The pointer never is.
inline WasmDataPtr getHeaderMapValue(WasmHeaderMapType map, std::string_view name) {
  const char *value = nullptr;
  size_t size = 0;
  proxy_get_header_map_value(map, name.data(), name.size(), &value, &size);
  return std::make_unique<WasmData>(value, size);
}

// Put this value in place of all that the header has.
inline WasmResult replaceHeaderMapValue(WasmHeaderMapType map, std::string_view name, std::string_view value) {
  return proxy_replace_header_map_value(map, name.data(), name.size(), value.data(), value.size());
}

inline WasmResult removeHeaderMapValue(WasmHeaderMapType map, std::string_view name) {
  return proxy_remove_header_map_value(map, name.data(), name.size());
}

// All headers: getHeaderMapPairs(...)->pairs().
inline WasmDataPtr getHeaderMapPairs(WasmHeaderMapType map) {
  const char *pairs = nullptr;
  size_t size = 0;
  proxy_get_header_map_pairs(map, &pairs, &size);
  return std::make_unique<WasmData>(pairs, size);
}

// Put these headers in place of all there are.
inline WasmResult setHeaderMapPairs(WasmHeaderMapType map, const HeaderStringPairs &pairs) {
  proxy_wasm::Pairs made(pairs);
  return proxy_set_header_map_pairs(map, static_cast<const char *>(made.data), made.size);
}

// The bytes of all names and values.
inline WasmResult getHeaderMapSize(WasmHeaderMapType map, size_t *size) { return proxy_get_header_map_size(map, size); }

#define PROXY_WASM_MAP(Name, map)                                                                                \
  inline WasmResult add##Name(std::string_view name, std::string_view value) {                                   \
    return addHeaderMapValue(WasmHeaderMapType::map, name, value);                                               \
  }                                                                                                              \
  inline WasmDataPtr get##Name(std::string_view name) { return getHeaderMapValue(WasmHeaderMapType::map, name); } \
  inline WasmResult replace##Name(std::string_view name, std::string_view value) {                               \
    return replaceHeaderMapValue(WasmHeaderMapType::map, name, value);                                           \
  }                                                                                                              \
  inline WasmResult remove##Name(std::string_view name) {                                                        \
    return removeHeaderMapValue(WasmHeaderMapType::map, name);                                                   \
  }                                                                                                              \
  inline WasmDataPtr get##Name##Pairs() { return getHeaderMapPairs(WasmHeaderMapType::map); }                    \
  inline WasmResult set##Name##Pairs(const HeaderStringPairs &pairs) {                                           \
    return setHeaderMapPairs(WasmHeaderMapType::map, pairs);                                                     \
  }                                                                                                              \
  inline WasmResult get##Name##Size(size_t *size) { return getHeaderMapSize(WasmHeaderMapType::map, size); }

// addRequestHeader, getRequestHeader, replaceRequestHeader, removeRequestHeader, getRequestHeaderPairs,
// setRequestHeaderPairs, getRequestHeaderSize; and so on.
PROXY_WASM_MAP(RequestHeader, RequestHeaders)
PROXY_WASM_MAP(RequestTrailer, RequestTrailers)
PROXY_WASM_MAP(ResponseHeader, ResponseHeaders)
PROXY_WASM_MAP(ResponseTrailer, ResponseTrailers)
#undef PROXY_WASM_MAP

// --- bodies and other buffers ---

// Bytes of a body, a configuration, or the answer to a call; its data is null where there are none.
inline WasmDataPtr getBufferBytes(WasmBufferType buffer, size_t start, size_t length) {
  const char *bytes = nullptr;
  size_t size = 0;
  proxy_get_buffer_bytes(buffer, start, length, &bytes, &size);
  return std::make_unique<WasmData>(bytes, size);
}

inline WasmResult getBufferStatus(WasmBufferType buffer, size_t *size, uint32_t *flags) {
  return proxy_get_buffer_status(buffer, size, flags);
}

// Put data in place of a part of a buffer. `new_size`, the size before, becomes the size after.
inline WasmResult setBuffer(WasmBufferType buffer, size_t start, size_t length, std::string_view data,
                            size_t *new_size = nullptr) {
  auto result = proxy_set_buffer_bytes(buffer, start, length, data.data(), data.size());
  if (result == WasmResult::Ok && new_size) *new_size += data.size() - length;
  return result;
}

// The plugin's configuration, inside of onConfigure.
inline WasmDataPtr getConfiguration() {
  return getBufferBytes(WasmBufferType::PluginConfiguration, 0, static_cast<size_t>(-1));
}

// --- properties ---

namespace proxy_wasm {
template <typename Parts> std::optional<WasmDataPtr> property(const Parts &parts) {
  std::string path;
  for (std::string_view part : parts) path.append(path.empty() ? 0 : 1, '\0').append(part);
  const char *value = nullptr;
  size_t size = 0;
  if (proxy_get_property(path.data(), path.size(), &value, &size) != WasmResult::Ok) return {};
  return std::make_unique<WasmData>(value, size);
}

template <typename Parts, typename Value> bool value(const Parts &parts, Value *out) {
  auto found = property(parts);
  if (!found) return false;
  if constexpr (std::is_same_v<Value, std::string>) {
    out->assign((*found)->view());
  } else {
    static_assert(std::is_trivially_copyable_v<Value>, "the value is a std::string or a number");
    if ((*found)->size() != sizeof(Value)) return false;
    memcpy(out, (*found)->data(), sizeof(Value));
  }
  return true;
}

template <typename Parts, typename Message> bool message(const Parts &parts, Message *out) {
  auto found = property(parts);
  if (!found) return false;
  return !(*found)->size() || out->ParseFromArray((*found)->data(), static_cast<int>((*found)->size()));
}
} // namespace proxy_wasm

// A property as bytes: getProperty({"request", "path"}). Nothing where there is none.
inline std::optional<WasmDataPtr> getProperty(const std::initializer_list<std::string_view> &parts) {
  return proxy_wasm::property(parts);
}
template <typename Part> std::optional<WasmDataPtr> getProperty(const std::vector<Part> &parts) {
  return proxy_wasm::property(parts);
}

// A property as text or as a number of the type that it has (int64_t, uint64_t, double, bool): false where there is
// none of that size.
template <typename Value> bool getValue(const std::initializer_list<std::string_view> &parts, Value *out) {
  return proxy_wasm::value(parts, out);
}
template <typename Part, typename Value> bool getValue(const std::vector<Part> &parts, Value *out) {
  return proxy_wasm::value(parts, out);
}

// A property as a message of Protocol Buffers.
template <typename Message> bool getMessageValue(const std::initializer_list<std::string_view> &parts, Message *out) {
  return proxy_wasm::message(parts, out);
}
template <typename Part, typename Message> bool getMessageValue(const std::vector<Part> &parts, Message *out) {
  return proxy_wasm::message(parts, out);
}

// Set a property, to be read by other filters and the access log; Envoy puts "wasm." before its name.
inline WasmResult setFilterState(std::string_view name, std::string_view value) {
  return proxy_set_property(name.data(), name.size(), value.data(), value.size());
}
inline WasmResult setFilterStateStringValue(std::string_view name, std::string_view value) {
  return setFilterState(name, value);
}

// --- streams ---

inline WasmResult continueRequest() { return proxy_continue_stream(WasmStreamType::Request); }
inline WasmResult continueResponse() { return proxy_continue_stream(WasmStreamType::Response); }
inline WasmResult continueDownstream() { return proxy_continue_stream(WasmStreamType::Downstream); }
inline WasmResult continueUpstream() { return proxy_continue_stream(WasmStreamType::Upstream); }
inline WasmResult closeRequest() { return proxy_close_stream(WasmStreamType::Request); }
inline WasmResult closeResponse() { return proxy_close_stream(WasmStreamType::Response); }
inline WasmResult closeDownstream() { return proxy_close_stream(WasmStreamType::Downstream); }
inline WasmResult closeUpstream() { return proxy_close_stream(WasmStreamType::Upstream); }

// Answer instead of the upstream; then return StopIteration. `details` appears in the access log.
inline WasmResult sendLocalResponse(uint32_t code, std::string_view details, std::string_view body,
                                    const HeaderStringPairs &headers,
                                    GrpcStatus grpc_status = GrpcStatus::InvalidCode) {
  proxy_wasm::Pairs made(headers);
  return proxy_send_local_response(code, details.data(), details.size(), body.data(), body.size(),
                                   static_cast<const char *>(made.data), made.size,
                                   static_cast<uint32_t>(grpc_status));
}

// --- calls to other services ---

// Call a cluster; the answer comes in RootContext::onHttpCallResponse. RootContext::httpCall takes a callback.
inline WasmResult makeHttpCall(std::string_view cluster, const HeaderStringPairs &headers, std::string_view body,
                               const HeaderStringPairs &trailers, uint32_t milliseconds, uint32_t *token) {
  proxy_wasm::Pairs head(headers), tail(trailers);
  return proxy_http_call(cluster.data(), cluster.size(), head.data, head.size, body.data(), body.size(), tail.data,
                         tail.size, milliseconds, token);
}

inline WasmResult grpcCall(std::string_view service, std::string_view service_name, std::string_view method,
                           const HeaderStringPairs &metadata, std::string_view request, uint32_t milliseconds,
                           uint32_t *token) {
  proxy_wasm::Pairs made(metadata);
  return proxy_grpc_call(service.data(), service.size(), service_name.data(), service_name.size(), method.data(),
                         method.size(), made.data, made.size, request.data(), request.size(), milliseconds, token);
}

inline WasmResult grpcStream(std::string_view service, std::string_view service_name, std::string_view method,
                             const HeaderStringPairs &metadata, uint32_t *token) {
  proxy_wasm::Pairs made(metadata);
  return proxy_grpc_stream(service.data(), service.size(), service_name.data(), service_name.size(), method.data(),
                           method.size(), made.data, made.size, token);
}

inline WasmResult grpcSend(uint32_t token, std::string_view message, bool end_of_stream) {
  return proxy_grpc_send(token, message.data(), message.size(), end_of_stream);
}
inline WasmResult grpcCancel(uint32_t token) { return proxy_grpc_cancel(token); }
inline WasmResult grpcClose(uint32_t token) { return proxy_grpc_close(token); }

// How the last call ended, inside of its callback: the gRPC status and its message.
inline std::pair<uint32_t, WasmDataPtr> getStatus() {
  uint32_t code = 0;
  const char *message = nullptr;
  size_t size = 0;
  CHECK_RESULT(proxy_get_status(&code, &message, &size));
  return {code, std::make_unique<WasmData>(message, size)};
}

// --- shared data and queues ---

// `cas` becomes the number of the value's version.
inline WasmResult getSharedData(std::string_view key, WasmDataPtr *value, uint32_t *cas = nullptr) {
  uint32_t version = 0;
  const char *bytes = nullptr;
  size_t size = 0;
  auto result = proxy_get_shared_data(key.data(), key.size(), &bytes, &size, cas ? cas : &version);
  if (result == WasmResult::Ok) *value = std::make_unique<WasmData>(bytes, size);
  return result;
}

// With a version other than 0: CasMismatch unless the value still has it.
inline WasmResult setSharedData(std::string_view key, std::string_view value, uint32_t cas = 0) {
  return proxy_set_shared_data(key.data(), key.size(), value.data(), value.size(), cas);
}

// The same as getSharedData, for a key that is there: ends the filter where it is not.
inline WasmDataPtr getSharedDataValue(std::string_view key, uint32_t *cas = nullptr) {
  WasmDataPtr value;
  auto result = getSharedData(key, &value, cas);
  if (result != WasmResult::Ok) logAbort("getSharedData of " + std::string(key) + ": " + toString(result));
  return value;
}

inline WasmResult registerSharedQueue(std::string_view name, uint32_t *token) {
  return proxy_register_shared_queue(name.data(), name.size(), token);
}
inline WasmResult resolveSharedQueue(std::string_view vm_id, std::string_view name, uint32_t *token) {
  return proxy_resolve_shared_queue(vm_id.data(), vm_id.size(), name.data(), name.size(), token);
}
inline WasmResult enqueueSharedQueue(uint32_t token, std::string_view data) {
  return proxy_enqueue_shared_queue(token, data.data(), data.size());
}
inline WasmResult dequeueSharedQueue(uint32_t token, WasmDataPtr *data) {
  const char *bytes = nullptr;
  size_t size = 0;
  auto result = proxy_dequeue_shared_queue(token, &bytes, &size);
  *data = std::make_unique<WasmData>(bytes, size);
  return result;
}

// --- time, and whatever else a proxy offers ---

// Nanoseconds since 1970.
inline uint64_t getCurrentTimeNanoseconds() {
  uint64_t now = 0;
  CHECK_RESULT(proxy_get_current_time_nanoseconds(&now));
  return now;
}

// Call a function that the proxy offers under a name, such as "compress"; nothing where that failed.
inline std::optional<WasmDataPtr> callForeignFunction(std::string_view name, std::string_view argument,
                                                      WasmResult *result = nullptr) {
  char *bytes = nullptr;
  size_t size = 0;
  auto done = proxy_call_foreign_function(name.data(), name.size(), argument.data(), argument.size(), &bytes, &size);
  if (result) *result = done;
  auto data = std::make_unique<WasmData>(bytes, size);
  if (done != WasmResult::Ok) return {};
  return data;
}
