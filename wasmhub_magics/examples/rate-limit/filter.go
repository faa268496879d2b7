// Rate limit by shared data: "3 3600" lets 3 requests of a key in at once, and one more every 3600 seconds.
package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type plugin struct {
	types.DefaultPluginContext
	burst, every int64
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, _ := proxywasm.GetPluginConfiguration()
	p.burst, p.every = twoNumbers(configuration)
	if p.burst <= 0 || p.every <= 0 {
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
	burst, every := s.plugin.burst, s.plugin.every
	client, _ := proxywasm.GetHttpRequestHeader("x-api-key")
	key, now := "rate-limit/"+client, time.Now().Unix()
	for {
		left, since := burst, now
		value, version, err := proxywasm.GetSharedData(key)
		if err == nil {
			left, since = twoNumbers(value)
		}
		if more := (now - since) / every; more > 0 {
			left, since = min(burst, left+more), since+more*every
		}
		if left == 0 {
			wait := strconv.FormatInt(since+every-now, 10)
			proxywasm.SendHttpResponse(429, [][2]string{{"retry-after", wait}}, []byte("too many requests\n"), -1)
			return types.ActionPause
		}
		if left == burst {
			since = now
		}
		after := fmt.Sprintf("%d %d", left-1, since)
		if proxywasm.SetSharedData(key, []byte(after), version) == nil {
			return types.ActionContinue
		}
	}
}

func twoNumbers(text []byte) (one, two int64) {
	fmt.Sscanf(string(text), "%d %d", &one, &two)
	return one, two
}
