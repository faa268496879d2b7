// Body redaction: of 16 digits in a row the last four stay.
package main

import (
	"bytes"
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

type stream struct {
	types.DefaultHttpContext
	readable bool // whether the body is JSON or text
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	kind, _ := proxywasm.GetHttpResponseHeader("content-type")
	s.readable = strings.HasPrefix(kind, "application/json") || strings.HasPrefix(kind, "text/")
	return types.ActionContinue
}

func (s *stream) OnHttpResponseBody(size int, endOfStream bool) types.Action {
	if !s.readable {
		return types.ActionContinue
	}
	if !endOfStream {
		return types.ActionPause // until all of the body is here
	}
	body, err := proxywasm.GetHttpResponseBody(0, size)
	if err != nil {
		return types.ActionContinue
	}
	run := 0
	for at := 0; at <= len(body); at++ {
		if at < len(body) && body[at] >= '0' && body[at] <= '9' {
			run++
			continue
		}
		if run == 16 {
			copy(body[at-16:at-4], bytes.Repeat([]byte("*"), 12))
		}
		run = 0
	}
	proxywasm.ReplaceHttpResponseBody(body) // as long as before, so content-length stays right
	return types.ActionContinue
}
