// CORS: the configuration lists the origins whose pages may read responses, separated by spaces.
package main

import (
	"slices"
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type plugin struct {
	types.DefaultPluginContext
	origins []string
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, _ := proxywasm.GetPluginConfiguration()
	p.origins = strings.Fields(string(configuration))
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &stream{plugin: p} }

type stream struct {
	types.DefaultHttpContext
	plugin *plugin
	origin string // of the request, where it is allowed
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	if origin, _ := proxywasm.GetHttpRequestHeader("origin"); slices.Contains(s.plugin.origins, origin) {
		s.origin = origin
	}
	method, _ := proxywasm.GetHttpRequestHeader(":method")
	if _, err := proxywasm.GetHttpRequestHeader("access-control-request-method"); err != nil || method != "OPTIONS" {
		return types.ActionContinue
	}
	if s.origin == "" {
		proxywasm.SendHttpResponse(403, nil, []byte("this origin is not allowed\n"), -1)
		return types.ActionPause
	}
	wanted, err := proxywasm.GetHttpRequestHeader("access-control-request-headers")
	if err != nil {
		wanted = "content-type"
	}
	proxywasm.SendHttpResponse(204, [][2]string{
		{"access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE"},
		{"access-control-allow-headers", wanted},
		{"access-control-max-age", "600"},
	}, nil, -1)
	return types.ActionPause
}

// An answer of our own comes by here, too.
func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	proxywasm.RemoveHttpResponseHeader("access-control-allow-origin")
	if s.origin != "" {
		proxywasm.ReplaceHttpResponseHeader("access-control-allow-origin", s.origin)
		proxywasm.AddHttpResponseHeader("vary", "origin")
	}
	return types.ActionContinue
}
