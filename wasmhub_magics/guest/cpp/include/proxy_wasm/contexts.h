// Contexts: what a proxy calls. A plugin has one RootContext, each stream through it one Context.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "../proxy_wasm_externs.h"
#include "data.h"
#include "grpc.h"
#include "host.h"

class RootContext;
class Context;

class ContextBase {
public:
  explicit ContextBase(uint32_t id) : id_(id) {}
  virtual ~ContextBase() = default;

  uint32_t id() { return id_; }

  // Act for this context until the callback returns: for a stream in the answer to its call.
  WasmResult setEffectiveContext() { return proxy_set_effective_context(id_); }

  virtual RootContext *asRoot() { return nullptr; }
  virtual Context *asContext() { return nullptr; }

  virtual void onCreate() {}
  virtual bool onDoneBase() = 0;
  // The stream has ended, and headers and properties can still be read.
  virtual void onLog() {}
  virtual void onDelete() {}
  // The argument is in WasmBufferType::CallData.
  virtual void onForeignFunction(uint32_t /*function*/, uint32_t /*size*/) {}

  // From which level on the proxy keeps lines of the log.
  WasmResult getLogLevel(LogLevel *level) { return proxy_get_log_level(level); }

  using HttpCallCallback = std::function<void(uint32_t headers, size_t body_size, uint32_t trailers)>;
  using GrpcSimpleCallCallback = std::function<void(GrpcStatus status, size_t body_size)>;

private:
  uint32_t id_;
};

namespace proxy_wasm {
// Only for messages of Protocol Buffers, of whichever library.
template <typename T>
using IfMessage = decltype(std::declval<const T &>().SerializeToString(static_cast<std::string *>(nullptr)));
} // namespace proxy_wasm

class RootContext : public ContextBase {
public:
  RootContext(uint32_t id, std::string_view root_id) : ContextBase(id), root_id_(root_id) {}
  ~RootContext() override = default;

  std::string_view root_id() { return root_id_; }
  RootContext *asRoot() override { return this; }
  Context *asContext() override { return nullptr; }

  virtual bool validateConfiguration(size_t /*size*/) { return true; }
  // False refuses the configuration.
  virtual bool onConfigure(size_t /*configuration_size*/) { return true; }
  // False refuses to start.
  virtual bool onStart(size_t /*vm_configuration_size*/) { return true; }
  // Comes again and again after proxy_set_tick_period_milliseconds.
  virtual void onTick() {}
  virtual void onQueueReady(uint32_t /*token*/) {}
  // False keeps the context until done() is called.
  virtual bool onDone() { return true; }
  void done() { proxy_done(); }

  // Answers to calls; these hand them to the callbacks and handlers that the calls were given.
  virtual void onHttpCallResponse(uint32_t token, uint32_t headers, size_t body_size, uint32_t trailers);
  virtual void onGrpcReceiveInitialMetadata(uint32_t token, uint32_t headers);
  virtual void onGrpcReceiveTrailingMetadata(uint32_t token, uint32_t trailers);
  virtual void onGrpcReceive(uint32_t token, size_t body_size);
  virtual void onGrpcClose(uint32_t token, GrpcStatus status);

  // Call a cluster; `headers` have :method, :path and :authority. The callback comes with zero headers where no
  // answer came.
  WasmResult httpCall(std::string_view cluster, const HeaderStringPairs &headers, std::string_view body,
                      const HeaderStringPairs &trailers, uint32_t milliseconds, HttpCallCallback callback);

  // `service` is Envoy's description of a gRPC service, serialised, or the name of a cluster.
  WasmResult grpcSimpleCall(std::string_view service, std::string_view service_name, std::string_view method,
                            const HeaderStringPairs &metadata, std::string_view request, uint32_t milliseconds,
                            GrpcSimpleCallCallback callback);

  WasmResult grpcSimpleCall(std::string_view service, std::string_view service_name, std::string_view method,
                            const HeaderStringPairs &metadata, std::string_view request, uint32_t milliseconds,
                            std::function<void(size_t body_size)> success,
                            std::function<void(GrpcStatus status)> failure) {
    return grpcSimpleCall(
        service, service_name, method, metadata, request, milliseconds,
        [success = std::move(success), failure = std::move(failure)](GrpcStatus status, size_t body_size) {
          status == GrpcStatus::Ok ? success(body_size) : failure(status);
        });
  }

  WasmResult grpcCallHandler(std::string_view service, std::string_view service_name, std::string_view method,
                             const HeaderStringPairs &metadata, std::string_view request, uint32_t milliseconds,
                             std::unique_ptr<GrpcCallHandlerBase> handler);

  WasmResult grpcStreamHandler(std::string_view service, std::string_view service_name, std::string_view method,
                               const HeaderStringPairs &metadata, std::unique_ptr<GrpcStreamHandlerBase> handler);

  template <typename Request, typename... Callbacks, typename = proxy_wasm::IfMessage<Request>>
  WasmResult grpcSimpleCall(std::string_view service, std::string_view service_name, std::string_view method,
                            const HeaderStringPairs &metadata, const Request &request, uint32_t milliseconds,
                            Callbacks... callbacks) {
    std::string bytes;
    if (!request.SerializeToString(&bytes)) return WasmResult::SerializationFailure;
    return grpcSimpleCall(service, service_name, method, metadata, std::string_view(bytes), milliseconds,
                          std::move(callbacks)...);
  }

  template <typename Request, typename = proxy_wasm::IfMessage<Request>>
  WasmResult grpcCallHandler(std::string_view service, std::string_view service_name, std::string_view method,
                             const HeaderStringPairs &metadata, const Request &request, uint32_t milliseconds,
                             std::unique_ptr<GrpcCallHandlerBase> handler) {
    std::string bytes;
    if (!request.SerializeToString(&bytes)) return WasmResult::SerializationFailure;
    return grpcCallHandler(service, service_name, method, metadata, std::string_view(bytes), milliseconds,
                           std::move(handler));
  }

private:
  friend class GrpcCallHandlerBase;
  friend class GrpcStreamHandlerBase;

  bool onDoneBase() override { return onDone(); }

  const std::string root_id_;
  std::unordered_map<uint32_t, HttpCallCallback> http_calls_;
  std::unordered_map<uint32_t, GrpcSimpleCallCallback> simple_grpc_calls_;
  std::unordered_map<uint32_t, std::unique_ptr<GrpcCallHandlerBase>> grpc_calls_;
  std::unordered_map<uint32_t, std::unique_ptr<GrpcStreamHandlerBase>> grpc_streams_;
};

class Context : public ContextBase {
public:
  Context(uint32_t id, RootContext *root) : ContextBase(id), root_(root) {}
  ~Context() override = default;

  RootContext *root() { return root_; }
  RootContext *asRoot() override { return nullptr; }
  Context *asContext() override { return this; }

  // Of a TCP connection.
  virtual FilterStatus onNewConnection() { return FilterStatus::Continue; }
  virtual FilterStatus onDownstreamData(size_t /*size*/, bool /*end_of_stream*/) { return FilterStatus::Continue; }
  virtual FilterStatus onUpstreamData(size_t /*size*/, bool /*end_of_stream*/) { return FilterStatus::Continue; }
  virtual void onDownstreamConnectionClose(CloseType /*by*/) {}
  virtual void onUpstreamConnectionClose(CloseType /*by*/) {}

  // Of a request and its response.
  virtual FilterHeadersStatus onRequestHeaders(uint32_t /*headers*/, bool /*end_of_stream*/) {
    return FilterHeadersStatus::Continue;
  }
  virtual FilterDataStatus onRequestBody(size_t /*size*/, bool /*end_of_stream*/) { return FilterDataStatus::Continue; }
  virtual FilterTrailersStatus onRequestTrailers(uint32_t /*trailers*/) { return FilterTrailersStatus::Continue; }
  virtual FilterMetadataStatus onRequestMetadata(uint32_t /*elements*/) { return FilterMetadataStatus::Continue; }
  virtual FilterHeadersStatus onResponseHeaders(uint32_t /*headers*/, bool /*end_of_stream*/) {
    return FilterHeadersStatus::Continue;
  }
  virtual FilterDataStatus onResponseBody(size_t /*size*/, bool /*end_of_stream*/) {
    return FilterDataStatus::Continue;
  }
  virtual FilterTrailersStatus onResponseTrailers(uint32_t /*trailers*/) { return FilterTrailersStatus::Continue; }
  virtual FilterMetadataStatus onResponseMetadata(uint32_t /*elements*/) { return FilterMetadataStatus::Continue; }

  virtual void onDone() {}

private:
  bool onDoneBase() override {
    onDone();
    return true;
  }

  RootContext *root_;
};

// The contexts that there are, by the proxy's numbers and by the root id; null where there is none.
ContextBase *getContextBase(uint32_t id);
Context *getContext(uint32_t id);
RootContext *getRootContext(uint32_t id);
RootContext *getRoot(std::string_view root_id);

using RootFactory = std::function<std::unique_ptr<RootContext>(uint32_t id, std::string_view root_id)>;
using ContextFactory = std::function<std::unique_ptr<Context>(uint32_t id, RootContext *root)>;

#define ROOT_FACTORY(Type)                                                                                       \
  [](uint32_t id, std::string_view root_id) -> std::unique_ptr<RootContext> {                                    \
    return std::make_unique<Type>(id, root_id);                                                                  \
  }
#define CONTEXT_FACTORY(Type)                                                                                    \
  [](uint32_t id, RootContext *root) -> std::unique_ptr<Context> { return std::make_unique<Type>(id, root); }

// A static variable of this type says what contexts are made of, for the plugins with that root id.
struct RegisterContextFactory {
  RegisterContextFactory(ContextFactory context_factory, RootFactory root_factory, std::string_view root_id = "");
  explicit RegisterContextFactory(RootFactory root_factory, std::string_view root_id = "")
      : RegisterContextFactory(nullptr, std::move(root_factory), root_id) {}
  explicit RegisterContextFactory(ContextFactory context_factory, std::string_view root_id = "")
      : RegisterContextFactory(std::move(context_factory), nullptr, root_id) {}
};
