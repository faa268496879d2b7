// IP and path allow list: "/health 10.0.0.0/8 192.168.1.7".
//
// x-forwarded-for counts, so let nobody but your own load balancer reach this proxy, or leave it out.
package main

import (
	"net/netip"
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
	paths  []string
	ranges []netip.Prefix
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, _ := proxywasm.GetPluginConfiguration()
	for _, word := range strings.Fields(string(configuration)) {
		if word[0] == '/' {
			p.paths = append(p.paths, word)
			continue
		}
		if !strings.Contains(word, "/") {
			word += "/32"
		}
		prefix, err := netip.ParsePrefix(word)
		if err != nil {
			return types.OnPluginStartStatusFailed
		}
		p.ranges = append(p.ranges, prefix.Masked())
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
	page, _, _ := strings.Cut(path, "?")
	if slices.Contains(s.plugin.paths, page) {
		return types.ActionContinue
	}
	if address, err := netip.ParseAddr(client()); err == nil {
		for _, prefix := range s.plugin.ranges {
			if prefix.Contains(address) {
				return types.ActionContinue
			}
		}
	}
	proxywasm.SendHttpResponse(403, nil, []byte("forbidden\n"), -1)
	return types.ActionPause
}

func client() string {
	if forwarded, err := proxywasm.GetHttpRequestHeader("x-forwarded-for"); err == nil {
		return strings.TrimSpace(forwarded[strings.LastIndex(forwarded, ",")+1:])
	}
	peer, _ := proxywasm.GetProperty([]string{"source", "address"})
	address, _, _ := strings.Cut(string(peer), ":")
	return address
}
