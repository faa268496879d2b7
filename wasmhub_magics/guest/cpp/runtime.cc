// What is compiled once: the callbacks of the ABI, which find a context and call its method, and what the headers
// leave to it. A filter that defines a callback itself is called instead: all of them are weak.
#include "proxy_wasm_intrinsics.h"

#define CALLBACK(result, name, ...) extern "C" __attribute__((weak)) result name(__VA_ARGS__)

CALLBACK(void, proxy_abi_version_0_2_1) {}

CALLBACK(void *, proxy_on_memory_allocate, size_t size) { return malloc(size); }

// --- data ---

std::vector<std::pair<std::string_view, std::string_view>> WasmData::pairs() {
  std::vector<std::pair<std::string_view, std::string_view>> made;
  if (size_ < sizeof(uint32_t)) return made;
  auto number = [this](size_t at) {
    uint32_t value;
    memcpy(&value, data_ + at * sizeof value, sizeof value);
    return value;
  };
  uint32_t count = number(0);
  const char *at = data_ + sizeof count + size_t(count) * 2 * sizeof count;
  made.reserve(count);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t name = number(1 + 2 * i), value = number(2 + 2 * i);
    made.emplace_back(std::string_view(at, name), std::string_view(at + name + 1, value));
    at += name + value + 2;
  }
  return made;
}

// --- contexts ---

namespace {
struct Factories {
  RootFactory root;
  ContextFactory context;
};

// Made on first use: filters register before this file's own variables would be made.
std::unordered_map<std::string, Factories> &factories() {
  static auto *made = new std::unordered_map<std::string, Factories>();
  return *made;
}

std::unordered_map<uint32_t, std::unique_ptr<ContextBase>> &contexts() {
  static auto *made = new std::unordered_map<uint32_t, std::unique_ptr<ContextBase>>();
  return *made;
}

std::unordered_map<std::string, RootContext *> &roots() {
  static auto *made = new std::unordered_map<std::string, RootContext *>();
  return *made;
}

RootContext &root(uint32_t id) {
  auto *found = getRootContext(id);
  if (!found) logAbort("the proxy calls the plugin " + std::to_string(id) + ", which was never created");
  return *found;
}

Context &stream(uint32_t id) {
  auto *found = getContext(id);
  if (!found) logAbort("the proxy calls the stream " + std::to_string(id) + ", which was never created");
  return *found;
}

ContextBase &any(uint32_t id) {
  auto *found = getContextBase(id);
  if (!found) logAbort("the proxy calls the context " + std::to_string(id) + ", which was never created");
  return *found;
}

std::unique_ptr<RootContext> newRoot(uint32_t id) {
  std::string root_id;
  if (!getValue({"plugin_root_id"}, &root_id)) logAbort("the proxy does not tell the plugin's root id");
  auto found = factories().find(root_id);
  auto made = found != factories().end() && found->second.root ? found->second.root(id, root_id)
                                                               : std::make_unique<RootContext>(id, root_id);
  roots()[root_id] = made.get();
  return made;
}

std::unique_ptr<Context> newStream(uint32_t id, uint32_t parent) {
  auto &of = root(parent);
  auto found = factories().find(std::string(of.root_id()));
  return found != factories().end() && found->second.context ? found->second.context(id, &of)
                                                             : std::make_unique<Context>(id, &of);
}
} // namespace

RegisterContextFactory::RegisterContextFactory(ContextFactory context, RootFactory root, std::string_view root_id) {
  auto &made = factories()[std::string(root_id)];
  if (context) made.context = std::move(context);
  if (root) made.root = std::move(root);
}

ContextBase *getContextBase(uint32_t id) {
  auto found = contexts().find(id);
  return found == contexts().end() ? nullptr : found->second.get();
}

Context *getContext(uint32_t id) {
  auto *found = getContextBase(id);
  return found ? found->asContext() : nullptr;
}

RootContext *getRootContext(uint32_t id) {
  auto *found = getContextBase(id);
  return found ? found->asRoot() : nullptr;
}

RootContext *getRoot(std::string_view root_id) {
  auto found = roots().find(std::string(root_id));
  return found == roots().end() ? nullptr : found->second;
}

// --- callbacks of plugins ---

CALLBACK(void, proxy_on_context_create, uint32_t id, uint32_t parent) {
  auto &place = contexts()[id]; // a plugin that is started again keeps its context
  if (!place) {
    std::unique_ptr<ContextBase> made;
    if (parent) made = newStream(id, parent);
    else made = newRoot(id);
    contexts()[id] = std::move(made); // `place` may have moved: a constructor may look contexts up
  }
  any(id).onCreate();
}

CALLBACK(uint32_t, proxy_on_vm_start, uint32_t id, uint32_t size) { return root(id).onStart(size); }
CALLBACK(uint32_t, proxy_validate_configuration, uint32_t id, uint32_t size) {
  return root(id).validateConfiguration(size);
}
CALLBACK(uint32_t, proxy_on_configure, uint32_t id, uint32_t size) { return root(id).onConfigure(size); }
CALLBACK(void, proxy_on_tick, uint32_t id) { root(id).onTick(); }
CALLBACK(void, proxy_on_queue_ready, uint32_t id, uint32_t token) { root(id).onQueueReady(token); }
CALLBACK(void, proxy_on_foreign_function, uint32_t id, uint32_t function, uint32_t size) {
  any(id).onForeignFunction(function, size);
}

// --- callbacks of streams ---

CALLBACK(FilterStatus, proxy_on_new_connection, uint32_t id) { return stream(id).onNewConnection(); }
CALLBACK(FilterStatus, proxy_on_downstream_data, uint32_t id, uint32_t size, uint32_t end) {
  return stream(id).onDownstreamData(size, end);
}
CALLBACK(FilterStatus, proxy_on_upstream_data, uint32_t id, uint32_t size, uint32_t end) {
  return stream(id).onUpstreamData(size, end);
}
CALLBACK(void, proxy_on_downstream_connection_close, uint32_t id, uint32_t by) {
  stream(id).onDownstreamConnectionClose(static_cast<CloseType>(by));
}
CALLBACK(void, proxy_on_upstream_connection_close, uint32_t id, uint32_t by) {
  stream(id).onUpstreamConnectionClose(static_cast<CloseType>(by));
}

CALLBACK(FilterHeadersStatus, proxy_on_request_headers, uint32_t id, uint32_t headers, uint32_t end) {
  return stream(id).onRequestHeaders(headers, end);
}
CALLBACK(FilterDataStatus, proxy_on_request_body, uint32_t id, uint32_t size, uint32_t end) {
  return stream(id).onRequestBody(size, end);
}
CALLBACK(FilterTrailersStatus, proxy_on_request_trailers, uint32_t id, uint32_t trailers) {
  return stream(id).onRequestTrailers(trailers);
}
CALLBACK(FilterMetadataStatus, proxy_on_request_metadata, uint32_t id, uint32_t elements) {
  return stream(id).onRequestMetadata(elements);
}
CALLBACK(FilterHeadersStatus, proxy_on_response_headers, uint32_t id, uint32_t headers, uint32_t end) {
  return stream(id).onResponseHeaders(headers, end);
}
CALLBACK(FilterDataStatus, proxy_on_response_body, uint32_t id, uint32_t size, uint32_t end) {
  return stream(id).onResponseBody(size, end);
}
CALLBACK(FilterTrailersStatus, proxy_on_response_trailers, uint32_t id, uint32_t trailers) {
  return stream(id).onResponseTrailers(trailers);
}
CALLBACK(FilterMetadataStatus, proxy_on_response_metadata, uint32_t id, uint32_t elements) {
  return stream(id).onResponseMetadata(elements);
}

CALLBACK(uint32_t, proxy_on_done, uint32_t id) { return any(id).onDoneBase(); }
CALLBACK(void, proxy_on_log, uint32_t id) { any(id).onLog(); }
CALLBACK(void, proxy_on_delete, uint32_t id) {
  auto &gone = any(id);
  gone.onDelete();
  if (auto *plugin = gone.asRoot()) {
    auto found = roots().find(std::string(plugin->root_id()));
    if (found != roots().end() && found->second == plugin) roots().erase(found);
  }
  contexts().erase(id);
}

// --- answers to calls ---

CALLBACK(void, proxy_on_http_call_response, uint32_t id, uint32_t token, uint32_t headers, uint32_t body_size,
         uint32_t trailers) {
  root(id).onHttpCallResponse(token, headers, body_size, trailers);
}
CALLBACK(void, proxy_on_grpc_receive_initial_metadata, uint32_t id, uint32_t token, uint32_t headers) {
  root(id).onGrpcReceiveInitialMetadata(token, headers);
}
CALLBACK(void, proxy_on_grpc_receive, uint32_t id, uint32_t token, uint32_t size) {
  root(id).onGrpcReceive(token, size);
}
CALLBACK(void, proxy_on_grpc_receive_trailing_metadata, uint32_t id, uint32_t token, uint32_t trailers) {
  root(id).onGrpcReceiveTrailingMetadata(token, trailers);
}
CALLBACK(void, proxy_on_grpc_close, uint32_t id, uint32_t token, uint32_t status) {
  root(id).onGrpcClose(token, static_cast<GrpcStatus>(status));
}

namespace {
// Take what waits for an answer out of its map, so that a callback may start the next call.
template <typename Map> typename Map::mapped_type take(Map &waiting, uint32_t token) {
  auto found = waiting.find(token);
  if (found == waiting.end()) return {};
  auto taken = std::move(found->second);
  waiting.erase(found);
  return taken;
}
} // namespace

WasmResult RootContext::httpCall(std::string_view cluster, const HeaderStringPairs &headers, std::string_view body,
                                 const HeaderStringPairs &trailers, uint32_t milliseconds,
                                 HttpCallCallback callback) {
  uint32_t token = 0;
  auto result = makeHttpCall(cluster, headers, body, trailers, milliseconds, &token);
  if (result == WasmResult::Ok) http_calls_[token] = std::move(callback);
  return result;
}

void RootContext::onHttpCallResponse(uint32_t token, uint32_t headers, size_t body_size, uint32_t trailers) {
  if (auto callback = take(http_calls_, token)) callback(headers, body_size, trailers);
}

WasmResult RootContext::grpcSimpleCall(std::string_view service, std::string_view service_name,
                                       std::string_view method, const HeaderStringPairs &metadata,
                                       std::string_view request, uint32_t milliseconds,
                                       GrpcSimpleCallCallback callback) {
  uint32_t token = 0;
  auto result = grpcCall(service, service_name, method, metadata, request, milliseconds, &token);
  if (result == WasmResult::Ok) simple_grpc_calls_[token] = std::move(callback);
  return result;
}

WasmResult RootContext::grpcCallHandler(std::string_view service, std::string_view service_name,
                                        std::string_view method, const HeaderStringPairs &metadata,
                                        std::string_view request, uint32_t milliseconds,
                                        std::unique_ptr<GrpcCallHandlerBase> handler) {
  uint32_t token = 0;
  auto result = grpcCall(service, service_name, method, metadata, request, milliseconds, &token);
  if (result != WasmResult::Ok) return result;
  handler->token_ = token;
  handler->context_ = this;
  grpc_calls_[token] = std::move(handler);
  return result;
}

WasmResult RootContext::grpcStreamHandler(std::string_view service, std::string_view service_name,
                                          std::string_view method, const HeaderStringPairs &metadata,
                                          std::unique_ptr<GrpcStreamHandlerBase> handler) {
  uint32_t token = 0;
  auto result = grpcStream(service, service_name, method, metadata, &token);
  if (result != WasmResult::Ok) return result;
  handler->token_ = token;
  handler->context_ = this;
  grpc_streams_[token] = std::move(handler);
  return result;
}

void RootContext::onGrpcReceiveInitialMetadata(uint32_t token, uint32_t headers) {
  auto found = grpc_streams_.find(token);
  if (found != grpc_streams_.end()) found->second->onReceiveInitialMetadata(headers);
}

void RootContext::onGrpcReceiveTrailingMetadata(uint32_t token, uint32_t trailers) {
  auto found = grpc_streams_.find(token);
  if (found != grpc_streams_.end()) found->second->onReceiveTrailingMetadata(trailers);
}

void RootContext::onGrpcReceive(uint32_t token, size_t body_size) {
  if (auto callback = take(simple_grpc_calls_, token)) return callback(GrpcStatus::Ok, body_size);
  if (auto handler = take(grpc_calls_, token)) return handler->onSuccess(body_size);
  auto found = grpc_streams_.find(token);
  if (found != grpc_streams_.end()) found->second->onReceive(body_size);
}

void RootContext::onGrpcClose(uint32_t token, GrpcStatus status) {
  if (auto callback = take(simple_grpc_calls_, token)) return callback(status, 0);
  if (auto handler = take(grpc_calls_, token)) return handler->onFailure(status);
  auto found = grpc_streams_.find(token);
  if (found != grpc_streams_.end()) found->second->doRemoteClose(status);
}

void GrpcCallHandlerBase::cancel() {
  grpcCancel(token_);
  context_->grpc_calls_.erase(token_);
}

WasmResult GrpcStreamHandlerBase::send(std::string_view message, bool end_of_stream) {
  auto result = grpcSend(token_, message, end_of_stream);
  if (result == WasmResult::Ok && end_of_stream) closedLocally();
  return result;
}

void GrpcStreamHandlerBase::close() {
  grpcClose(token_);
  closedLocally();
}

void GrpcStreamHandlerBase::closedLocally() {
  local_close_ = true;
  if (remote_close_) context_->grpc_streams_.erase(token_);
}

void GrpcStreamHandlerBase::reset() {
  grpcCancel(token_);
  context_->grpc_streams_.erase(token_);
}

void GrpcStreamHandlerBase::doRemoteClose(GrpcStatus status) {
  auto *context = context_;
  auto token = token_;
  onRemoteClose(status);
  auto found = context->grpc_streams_.find(token); // the handler may have reset itself
  if (found == context->grpc_streams_.end()) return;
  found->second->remote_close_ = true;
  if (found->second->local_close_) context->grpc_streams_.erase(found);
}

// --- metrics ---

std::string MetricBase::prefixWithFields(const std::vector<std::string> &fields) {
  std::string made = prefix;
  for (size_t i = 0; i < fields.size(); i++) {
    made += tags[i].name + value_separator + fields[i] + field_separator;
  }
  return made;
}

uint32_t MetricBase::resolveWithFields(const std::vector<std::string> &fields) {
  if (fields.size() != tags.size()) {
    logAbort("the metric " + name + " has " + std::to_string(tags.size()) + " tags, and was given " +
             std::to_string(fields.size()) + " values");
  }
  return resolveFullName(prefixWithFields(fields) + name);
}

void MetricBase::partiallyResolveWithFields(const std::vector<std::string> &fields) {
  if (fields.size() >= tags.size()) {
    logAbort("the metric " + name + " has " + std::to_string(tags.size()) + " tags, and was given " +
             std::to_string(fields.size()) + " values for a part of them");
  }
  prefix = prefixWithFields(fields);
  tags.erase(tags.begin(), tags.begin() + static_cast<ptrdiff_t>(fields.size()));
}

uint32_t MetricBase::resolveFullName(const std::string &full_name) {
  auto found = metric_ids.find(full_name);
  if (found != metric_ids.end()) return found->second;
  uint32_t made = 0;
  CHECK_RESULT(defineMetric(type, full_name, &made));
  metric_ids[full_name] = made;
  return made;
}

std::string MetricBase::nameFromIdSlow(uint32_t id) {
  for (const auto &[full_name, number] : metric_ids)
    if (number == id) return full_name;
  return "";
}

// --- log ---

std::string proxy_wasm::place(const char *file, int line, const char *function) {
  std::string made = "[";
  made.append(file).append(":").append(std::to_string(line)).append("]::").append(function).append("() ");
  return made;
}

void proxy_wasm::failed(const char *expression, WasmResult result) {
  logCritical(std::string(expression) + ": " + toString(result));
  abort();
}
