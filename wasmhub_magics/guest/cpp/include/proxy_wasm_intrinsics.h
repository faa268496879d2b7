// proxy_wasm_intrinsics.h: all that a Proxy-Wasm filter in C++ needs.
//
// Derive from Context (one for each stream) and, where the plugin itself has something to do, from RootContext, and
// register both:
//
//     #include "proxy_wasm_intrinsics.h"
//
//     class Hello : public Context {
//     public:
//       using Context::Context;
//       FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
//         addRequestHeader("x-hello", "C++");
//         return FilterHeadersStatus::Continue;
//       }
//     };
//     static RegisterContextFactory hello(CONTEXT_FACTORY(Hello));
//
// The names and their behaviour are those of the C++ SDK of the Proxy-Wasm project, so that filters written for it
// compile as they are. The code is this package's own.
#pragma once

#ifndef PROXY_WASM_KEEPALIVE
#define PROXY_WASM_KEEPALIVE __attribute__((used, visibility("default")))
#endif
#ifndef EMSCRIPTEN_KEEPALIVE
#define EMSCRIPTEN_KEEPALIVE PROXY_WASM_KEEPALIVE
#endif
#define WASM_EXPORT(result, name, arguments)                                                                     \
  extern "C" PROXY_WASM_KEEPALIVE __attribute__((export_name(#name))) result name arguments

// Filters that are also built into a proxy wrap themselves in these.
#define START_WASM_PLUGIN(name)
#define END_WASM_PLUGIN

#include "proxy_wasm_enums.h"

#include "proxy_wasm_common.h"

#include "proxy_wasm_externs.h"

#include "proxy_wasm_api.h"
