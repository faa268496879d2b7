// <string.h> for filters in C: what there is of it stands in proxy_wasm.h.
#include "proxy_wasm.h"
