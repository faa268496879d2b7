// What callbacks return, and other enumerations of the ABI.
#pragma once

#include <cstdint>

enum class LogLevel : int32_t { trace = 0, debug = 1, info = 2, warn = 3, error = 4, critical = 5, Max = critical };

// Of callbacks of a TCP connection.
enum class FilterStatus : int32_t { Continue = 0, StopIteration = 1 };

// Of onRequestHeaders and onResponseHeaders. Envoy takes StopIteration for StopAllIterationAndWatermark unless the
// plugin's configuration allows it.
enum class FilterHeadersStatus : int32_t {
  Continue = 0,
  StopIteration = 1,
  ContinueAndEndStream = 2,
  StopAllIterationAndBuffer = 3,
  StopAllIterationAndWatermark = 4,
};

enum class FilterMetadataStatus : int32_t { Continue = 0 };

// Of onRequestTrailers and onResponseTrailers.
enum class FilterTrailersStatus : int32_t { Continue = 0, StopIteration = 1 };

// Of onRequestBody and onResponseBody.
enum class FilterDataStatus : int32_t {
  Continue = 0,
  StopIterationAndBuffer = 1,    // the next callback sees all that was held so far
  StopIterationAndWatermark = 2, // held until the proxy's buffer is full
  StopIterationNoBuffer = 3,     // the filter keeps what it needs itself
};

enum class GrpcStatus : int32_t {
  Ok = 0,
  Canceled = 1,
  Unknown = 2,
  InvalidArgument = 3,
  DeadlineExceeded = 4,
  NotFound = 5,
  AlreadyExists = 6,
  PermissionDenied = 7,
  ResourceExhausted = 8,
  FailedPrecondition = 9,
  Aborted = 10,
  OutOfRange = 11,
  Unimplemented = 12,
  Internal = 13,
  Unavailable = 14,
  DataLoss = 15,
  Unauthenticated = 16,
  MaximumValid = Unauthenticated,
  InvalidCode = -1, // of a local response: derived from the HTTP status
};

enum class MetricType : int32_t { Counter = 0, Gauge = 1, Histogram = 2, Max = Histogram };

// Who closed a connection.
enum class CloseType : int32_t { Unknown = 0, Local = 1, Remote = 2 };

// Older filters say PeerType.
using PeerType = CloseType;
