// Request id: keep a well-formed x-correlation-id, else make one; the client learns it, too.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"

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
	id string
}

var wellFormed = regexp.MustCompile("^[A-Za-z0-9-]{8,64}$")

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	s.id, _ = proxywasm.GetHttpRequestHeader("x-correlation-id")
	if !wellFormed.MatchString(s.id) {
		var bytes [16]byte
		rand.Read(bytes[:])
		s.id = hex.EncodeToString(bytes[:])
		proxywasm.ReplaceHttpRequestHeader("x-correlation-id", s.id)
	}
	return types.ActionContinue
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	proxywasm.ReplaceHttpResponseHeader("x-correlation-id", s.id)
	return types.ActionContinue
}
