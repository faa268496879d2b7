// Lines of the proxy's log.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include "../proxy_wasm_externs.h"

inline WasmResult logLine(LogLevel level, std::string_view text) { return proxy_log(level, text.data(), text.size()); }
inline WasmResult logTrace(std::string_view text) { return logLine(LogLevel::trace, text); }
inline WasmResult logDebug(std::string_view text) { return logLine(LogLevel::debug, text); }
inline WasmResult logInfo(std::string_view text) { return logLine(LogLevel::info, text); }
inline WasmResult logWarn(std::string_view text) { return logLine(LogLevel::warn, text); }
inline WasmResult logError(std::string_view text) { return logLine(LogLevel::error, text); }
inline WasmResult logCritical(std::string_view text) { return logLine(LogLevel::critical, text); }

// Log a line and end the filter: the request fails by the plugin's failure policy.
inline void logAbort(std::string_view text) {
  logCritical(text);
  abort();
}

namespace proxy_wasm {
// What LOG_INFO and the like put before a line: "[cell.cc:7]::onRequestHeaders() ".
std::string place(const char *file, int line, const char *function);

// Log what was to succeed and did not, and end the filter.
[[noreturn]] void failed(const char *expression, WasmResult result);
} // namespace proxy_wasm

// Log a line with its place in the source.
#define LOG(level, ...) log##level(::proxy_wasm::place(__FILE__, __LINE__, __FUNCTION__) + __VA_ARGS__)
#define LOG_TRACE(...) LOG(Trace, __VA_ARGS__)
#define LOG_DEBUG(...) LOG(Debug, __VA_ARGS__)
#define LOG_INFO(...) LOG(Info, __VA_ARGS__)
#define LOG_WARN(...) LOG(Warn, __VA_ARGS__)
#define LOG_ERROR(...) LOG(Error, __VA_ARGS__)
#define LOG_CRITICAL(...) LOG(Critical, __VA_ARGS__)

// End the filter unless a host function succeeded.
#define CHECK_RESULT(call)                                                                                       \
  do {                                                                                                           \
    if (WasmResult proxy_wasm_result = (call); proxy_wasm_result != WasmResult::Ok)                              \
      ::proxy_wasm::failed(#call, proxy_wasm_result);                                                            \
  } while (0)
