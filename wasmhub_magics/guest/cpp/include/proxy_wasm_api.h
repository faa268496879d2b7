// What filters call and derive from, on top of the bare ABI.
#pragma once

#include "proxy_wasm/log.h"

#include "proxy_wasm/data.h"

#include "proxy_wasm/host.h"

#include "proxy_wasm/metrics.h"

#include "proxy_wasm/grpc.h"

#include "proxy_wasm/contexts.h"
