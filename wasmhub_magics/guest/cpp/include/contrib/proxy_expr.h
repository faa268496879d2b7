// Expressions of the proxy's own language (CEL): compiled once, evaluated for a stream.
#pragma once

#include <cstring>
#include <optional>
#include <string_view>

#include "../proxy_wasm_intrinsics.h"

// `token` becomes the number of the compiled expression.
inline WasmResult createExpression(std::string_view expression, uint32_t *token) {
  WasmResult result;
  auto made = callForeignFunction("expr_create", expression, &result);
  if (made && (*made)->size() == sizeof *token) memcpy(token, (*made)->data(), sizeof *token);
  return result;
}

// The value of an expression, as a property has it; nothing where it has none.
inline std::optional<WasmDataPtr> exprEvaluate(uint32_t token) {
  return callForeignFunction("expr_evaluate", {reinterpret_cast<const char *>(&token), sizeof token});
}

inline WasmResult exprDelete(uint32_t token) {
  WasmResult result;
  callForeignFunction("expr_delete", {reinterpret_cast<const char *>(&token), sizeof token}, &result);
  return result;
}

// The value as text or as a number of the type that it has; false where it has none of that size.
template <typename Value> bool evaluateExpression(uint32_t token, Value *out) {
  auto found = exprEvaluate(token);
  if (!found) return false;
  if constexpr (std::is_same_v<Value, std::string>) {
    out->assign((*found)->view());
  } else {
    if ((*found)->size() != sizeof(Value)) return false;
    memcpy(out, (*found)->data(), sizeof(Value));
  }
  return true;
}

// The value as a message of Protocol Buffers.
template <typename Message> bool evaluateMessage(uint32_t token, Message *out) {
  auto found = exprEvaluate(token);
  if (!found) return false;
  return !(*found)->size() || out->ParseFromArray((*found)->data(), static_cast<int>((*found)->size()));
}
