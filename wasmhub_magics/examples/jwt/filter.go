// JWT check. The configuration is the secret that tokens are signed with (HS256).
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
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
	secret []byte
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, _ := proxywasm.GetPluginConfiguration()
	p.secret = configuration
	if len(p.secret) == 0 {
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
	proxywasm.RemoveHttpRequestHeader("x-jwt-sub") // only we may send this
	given, _ := proxywasm.GetHttpRequestHeader("authorization")
	token, found := strings.CutPrefix(given, "Bearer ")
	if !found {
		return refuse("no token\n")
	}
	claims, err := check(token, s.plugin.secret)
	if err != nil {
		return refuse("wrong token\n")
	}
	if claims.Exp != 0 && claims.Exp <= time.Now().Unix() {
		return refuse("expired token\n")
	}
	proxywasm.ReplaceHttpRequestHeader("x-jwt-sub", claims.Sub)
	return types.ActionContinue
}

func refuse(why string) types.Action {
	proxywasm.SendHttpResponse(401, [][2]string{{"www-authenticate", "Bearer"}}, []byte(why), -1)
	return types.ActionPause
}

type claims struct {
	Alg string
	Sub string
	Exp int64
}

func check(token string, secret []byte) (found claims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return found, errors.New("not of three parts")
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(signature, mac.Sum(nil)) {
		return found, errors.New("not signed by us")
	}
	for _, part := range parts[:2] {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err == nil {
			err = json.Unmarshal(text, &found)
		}
		if err != nil || found.Alg != "HS256" {
			return found, errors.New("not of this kind")
		}
	}
	return found, nil
}
