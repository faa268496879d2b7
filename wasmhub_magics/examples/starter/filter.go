package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type plugin struct{ types.DefaultPluginContext }

func (*plugin) NewHttpContext(uint32) types.HttpContext { return &greeter{} }

type greeter struct{ types.DefaultHttpContext }

func (*greeter) OnHttpRequestHeaders(int, bool) types.Action {
	user, err := proxywasm.GetHttpRequestHeader("x-user")
	if err != nil {
		user = "stranger"
	}
	proxywasm.ReplaceHttpRequestHeader("x-greeting", "hello "+user)
	proxywasm.LogInfof("greeted %s", user)
	return types.ActionContinue
}
