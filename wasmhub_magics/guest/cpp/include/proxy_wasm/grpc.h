// Handlers of gRPC calls and streams that RootContext starts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "../proxy_wasm_externs.h"

class RootContext;

// One call with one answer. Derive from it and give it to RootContext::grpcCallHandler, which owns it until the end.
class GrpcCallHandlerBase {
public:
  virtual ~GrpcCallHandlerBase() = default;

  RootContext *context() { return context_; }
  uint32_t token() { return token_; }

  // End the call without an answer; this object is gone afterwards.
  void cancel();

  // The answer is in WasmBufferType::GrpcReceiveBuffer.
  virtual void onSuccess(size_t body_size) = 0;
  virtual void onFailure(GrpcStatus status) = 0;

private:
  friend class RootContext;

  RootContext *context_ = nullptr;
  uint32_t token_ = 0;
};

template <typename Message> class GrpcCallHandler : public GrpcCallHandlerBase {};

// A stream of messages both ways. Derive from it and give it to RootContext::grpcStreamHandler, which owns it until
// both sides have ended.
class GrpcStreamHandlerBase {
public:
  virtual ~GrpcStreamHandlerBase() = default;

  RootContext *context() { return context_; }
  uint32_t token() { return token_; }

  WasmResult send(std::string_view message, bool end_of_stream);
  // No more from this side; callbacks can still come.
  void close();
  // End the stream; this object is gone afterwards.
  void reset();

  virtual void onReceiveInitialMetadata(uint32_t /*headers*/) {}
  virtual void onReceiveTrailingMetadata(uint32_t /*trailers*/) {}
  // The message is in WasmBufferType::GrpcReceiveBuffer.
  virtual void onReceive(size_t body_size) = 0;
  virtual void onRemoteClose(GrpcStatus status) = 0;

protected:
  friend class RootContext;

  void doRemoteClose(GrpcStatus status);

  bool local_close_ = false;
  bool remote_close_ = false;
  RootContext *context_ = nullptr;
  uint32_t token_ = 0;

private:
  void closedLocally();
};

template <typename Request, typename Response> class GrpcStreamHandler : public GrpcStreamHandlerBase {
public:
  using GrpcStreamHandlerBase::send;

  WasmResult send(const Request &message, bool end_of_stream) {
    std::string bytes;
    if (!message.SerializeToString(&bytes)) return WasmResult::SerializationFailure;
    return GrpcStreamHandlerBase::send(std::string_view(bytes), end_of_stream);
  }
};
