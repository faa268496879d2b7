// Filters that can use Protocol Buffers include this. Their library is not here: a filter that names its types
// brings it along. Whatever takes a message takes any type with ParseFromArray and SerializeToString.
#pragma once

#include "proxy_wasm_intrinsics.h"
