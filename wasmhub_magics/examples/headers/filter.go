// Add and rewrite headers.
package main

import (
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type plugin struct{ types.DefaultPluginContext }

func (*plugin) NewHttpContext(uint32) types.HttpContext { return &stream{} }

type stream struct{ types.DefaultHttpContext }

func (*stream) OnHttpRequestHeaders(int, bool) types.Action {
	proxywasm.ReplaceHttpRequestHeader("x-env", "prod")   // whatever the client says
	proxywasm.RemoveHttpRequestHeader("x-internal-token") // only we may send this
	path, _ := proxywasm.GetHttpRequestHeader(":path")
	if rest, found := strings.CutPrefix(path, "/api/"); found {
		proxywasm.ReplaceHttpRequestHeader(":path", "/v1/"+rest)
	}
	return types.ActionContinue
}

func (*stream) OnHttpResponseHeaders(int, bool) types.Action {
	proxywasm.RemoveHttpResponseHeader("x-powered-by")
	proxywasm.ReplaceHttpResponseHeader("strict-transport-security", "max-age=63072000")
	proxywasm.ReplaceHttpResponseHeader("x-content-type-options", "nosniff")
	return types.ActionContinue
}
