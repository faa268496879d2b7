// Call-out authorisation: the cluster auth decides about each request.
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

func (*plugin) NewHttpContext(uint32) types.HttpContext { return &stream{} }

type stream struct{ types.DefaultHttpContext }

func (*stream) OnHttpRequestHeaders(int, bool) types.Action {
	proxywasm.RemoveHttpRequestHeader("x-user") // only we may send this
	token, _ := proxywasm.GetHttpRequestHeader("authorization")
	method, _ := proxywasm.GetHttpRequestHeader(":method")
	path, _ := proxywasm.GetHttpRequestHeader(":path")
	asked := [][2]string{
		{":method", "GET"},
		{":path", "/check"},
		{":authority", "auth"},
		{"authorization", token},
		{"x-original-method", method},
		{"x-original-path", path},
	}
	if _, err := proxywasm.DispatchHttpCall("auth", asked, nil, nil, 500, answered); err != nil {
		refuse(503, "authorisation is out of order\n")
	}
	return types.ActionPause
}

func answered(int, int, int) {
	answer, _ := proxywasm.GetHttpCallResponseHeaders()
	status, user := "", ""
	for _, header := range answer {
		switch header[0] {
		case ":status":
			status = header[1]
		case "x-user":
			user = header[1]
		}
	}
	switch status {
	case "200":
		proxywasm.ReplaceHttpRequestHeader("x-user", user)
		proxywasm.ResumeHttpRequest()
	case "401":
		refuse(401, "forbidden\n")
	case "403":
		refuse(403, "forbidden\n")
	default:
		refuse(503, "authorisation is out of order\n")
	}
}

func refuse(status uint32, why string) {
	proxywasm.SendHttpResponse(status, nil, []byte(why), -1)
}
