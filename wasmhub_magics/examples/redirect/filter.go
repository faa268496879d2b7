// Redirect to the canonical host, which is the configuration.
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

type plugin struct {
	types.DefaultPluginContext
	host string
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, _ := proxywasm.GetPluginConfiguration()
	p.host = string(configuration)
	if p.host == "" {
		return types.OnPluginStartStatusFailed
	}
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &stream{plugin: p} }

type stream struct {
	types.DefaultHttpContext
	plugin *plugin
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	path, _ := proxywasm.GetHttpRequestHeader(":path")
	host, _ := proxywasm.GetHttpRequestHeader(":authority")
	if host == s.plugin.host || strings.HasPrefix(path, "/.well-known/") {
		return types.ActionContinue
	}
	location := "https://" + s.plugin.host + path
	proxywasm.SendHttpResponse(301, [][2]string{{"location", location}}, nil, -1)
	return types.ActionPause
}
