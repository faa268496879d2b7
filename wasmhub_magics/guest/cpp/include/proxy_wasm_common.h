// What host functions return, and which map, buffer or stream they act on.
#pragma once

#include <cstdint>
#include <string>

enum class WasmResult : uint32_t {
  Ok = 0,
  NotFound = 1,
  BadArgument = 2,
  SerializationFailure = 3,
  ParseFailure = 4,
  BadExpression = 5,
  InvalidMemoryAccess = 6,
  Empty = 7,
  CasMismatch = 8,
  ResultMismatch = 9,
  InternalFailure = 10,
  BrokenConnection = 11,
  Unimplemented = 12,
};

// The name of a result: "NotFound".
inline std::string toString(WasmResult result) {
  static constexpr const char *names[] = {
      "Ok",         "NotFound",       "BadArgument",     "SerializationFailure", "ParseFailure",
      "BadExpression", "InvalidMemoryAccess", "Empty",   "CasMismatch",          "ResultMismatch",
      "InternalFailure", "BrokenConnection", "Unimplemented"};
  auto number = static_cast<uint32_t>(result);
  return number < sizeof names / sizeof *names ? names[number] : "Unknown";
}

enum class WasmHeaderMapType : int32_t {
  RequestHeaders = 0,
  RequestTrailers = 1,
  ResponseHeaders = 2,
  ResponseTrailers = 3,
  GrpcReceiveInitialMetadata = 4,
  GrpcReceiveTrailingMetadata = 5,
  HttpCallResponseHeaders = 6,
  HttpCallResponseTrailers = 7,
  MAX = HttpCallResponseTrailers,
};

enum class WasmBufferType : int32_t {
  HttpRequestBody = 0,
  HttpResponseBody = 1,
  NetworkDownstreamData = 2,
  NetworkUpstreamData = 3,
  HttpCallResponseBody = 4,
  GrpcReceiveBuffer = 5,
  VmConfiguration = 6,
  PluginConfiguration = 7,
  CallData = 8,
  MAX = CallData,
};

enum class WasmBufferFlags : int32_t { EndOfStream = 1 };

enum class WasmStreamType : int32_t { Request = 0, Response = 1, Downstream = 2, Upstream = 3, MAX = Upstream };
