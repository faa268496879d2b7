// A/B routing by cookie: the configuration is how many percent of new visitors get variant b.
//
// Let a route match the header x-variant.
package main

import (
	"math/rand/v2"
	"strconv"
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
	percent int
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, _ := proxywasm.GetPluginConfiguration()
	percent, err := strconv.Atoi(string(configuration))
	if err != nil {
		return types.OnPluginStartStatusFailed
	}
	p.percent = percent
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &stream{plugin: p} }

type stream struct {
	types.DefaultHttpContext
	plugin *plugin
	fresh  string // the variant of a new visitor
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	variant := ""
	cookies, _ := proxywasm.GetHttpRequestHeader("cookie")
	for _, cookie := range strings.Split(cookies, ";") {
		if value, found := strings.CutPrefix(strings.TrimSpace(cookie), "ab="); found && (value == "a" || value == "b") {
			variant = value
		}
	}
	if variant == "" {
		variant = "a"
		if rand.IntN(100) < s.plugin.percent {
			variant = "b"
		}
		s.fresh = variant
	}
	proxywasm.ReplaceHttpRequestHeader("x-variant", variant)
	return types.ActionContinue
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	if s.fresh != "" {
		proxywasm.AddHttpResponseHeader("set-cookie", "ab="+s.fresh+"; Path=/; Max-Age=2592000")
	}
	return types.ActionContinue
}
