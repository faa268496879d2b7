// Package proxywasm is what a filter calls, by the names of the Go SDK for Proxy-Wasm.
//
// It is an implementation of its own, for the upstream Go toolchain (GOOS=wasip1, -buildmode=c-shared).
package proxywasm

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

type vm struct {
	types.DefaultVMContext
	plugin types.PluginContextFactory
}

func (v *vm) NewPluginContext(id uint32) types.PluginContext { return v.plugin(id) }

type streams struct {
	types.DefaultPluginContext
	http types.HttpContextFactory
	tcp  types.TcpContextFactory
}

func (s *streams) NewHttpContext(id uint32) types.HttpContext {
	if s.http == nil {
		return nil
	}
	return s.http(id)
}

func (s *streams) NewTcpContext(id uint32) types.TcpContext {
	if s.tcp == nil {
		return nil
	}
	return s.tcp(id)
}

// SetVMContext names the context of the virtual machine. Call it in init: main is never run.
func SetVMContext(context types.VMContext) { machine = context }

// SetPluginContext is enough where the virtual machine has nothing of its own to do.
func SetPluginContext(newPluginContext func(contextID uint32) types.PluginContext) {
	machine = &vm{plugin: newPluginContext}
}

// SetHttpContext is enough where there is no configuration to read either.
func SetHttpContext(newHttpContext func(contextID uint32) types.HttpContext) {
	SetPluginContext(func(uint32) types.PluginContext { return &streams{http: newHttpContext} })
}

// SetTcpContext is SetHttpContext for TCP.
func SetTcpContext(newTcpContext func(contextID uint32) types.TcpContext) {
	SetPluginContext(func(uint32) types.PluginContext { return &streams{tcp: newTcpContext} })
}

type callout struct {
	caller uint32
	answer func(numHeaders, bodySize, numTrailers int)
}

var (
	machine types.VMContext
	start   func() // sets the context where nothing of the source's init does: main, in filters for TinyGo
	active  uint32
	roots   = map[uint32]uint32{} // of every context that is alive; a plugin's is itself
	plugins = map[uint32]types.PluginContext{}
	https   = map[uint32]types.HttpContext{}
	tcps    = map[uint32]types.TcpContext{}
	calls   = map[uint32]callout{}
	memory  = map[*byte][]byte{} // given to the host, which the collector cannot see
)

// tell logs a panic as one line of the proxy's log, where the runtime would write each word on its own.
func tell() {
	if reason := recover(); reason != nil {
		hostLog(5, fmt.Sprintf("panic: %v\n\n%s", reason, debug.Stack()))
		runtime.Breakpoint() // a trap: proxies go on after proc_exit
	}
}

func theMachine() types.VMContext {
	if machine == nil && start != nil {
		start()
	}
	if machine == nil {
		panic("no context is set: call proxywasm.SetVMContext, or another Set...Context, in func init")
	}
	return machine
}

func httpOf(id uint32) types.HttpContext {
	context, found := https[id]
	if !found {
		panic("a callback of HTTP came to a context that is none")
	}
	active = id
	return context
}

func tcpOf(id uint32) types.TcpContext {
	context, found := tcps[id]
	if !found {
		panic("a callback of TCP came to a context that is none")
	}
	active = id
	return context
}

func pluginOf(id uint32) types.PluginContext {
	context, found := plugins[id]
	if !found {
		panic("a callback of a plugin came to a context that is none")
	}
	active = id
	return context
}

//go:wasmexport proxy_abi_version_0_2_0
func abiVersion() {}

//go:wasmexport proxy_on_memory_allocate
func onMemoryAllocate(size uint32) *byte {
	buffer := make([]byte, max(size, 1))
	memory[&buffer[0]] = buffer
	return &buffer[0]
}

//go:wasmexport proxy_on_vm_start
func onVMStart(_, size uint32) bool {
	defer tell()
	return bool(theMachine().OnVMStart(int(size)))
}

//go:wasmexport proxy_on_configure
func onConfigure(id, size uint32) bool {
	defer tell()
	return bool(pluginOf(id).OnPluginStart(int(size)))
}

//go:wasmexport proxy_on_context_create
func onContextCreate(id, plugin uint32) {
	defer tell()
	if plugin == 0 {
		plugins[id] = theMachine().NewPluginContext(id)
		roots[id] = id
		return
	}
	root := pluginOf(plugin)
	if http := root.NewHttpContext(id); http != nil {
		https[id] = http
	} else if tcp := root.NewTcpContext(id); tcp != nil {
		tcps[id] = tcp
	} else {
		panic("the plugin makes a context neither for HTTP nor for TCP")
	}
	roots[id] = plugin
}

//go:wasmexport proxy_on_done
func onDone(id uint32) bool {
	defer tell()
	if plugin, found := plugins[id]; found {
		active = id
		return plugin.OnPluginDone()
	}
	return true
}

//go:wasmexport proxy_on_log
func onLog(id uint32) {
	defer tell()
	active = id
	if http, found := https[id]; found {
		http.OnHttpStreamDone()
	} else if tcp, found := tcps[id]; found {
		tcp.OnStreamDone()
	}
}

//go:wasmexport proxy_on_delete
func onDelete(id uint32) {
	defer tell()
	delete(roots, id)
	delete(https, id)
	delete(tcps, id)
	delete(plugins, id)
}

//go:wasmexport proxy_on_tick
func onTick(id uint32) {
	defer tell()
	pluginOf(id).OnTick()
}

//go:wasmexport proxy_on_queue_ready
func onQueueReady(id, queue uint32) {
	defer tell()
	pluginOf(id).OnQueueReady(queue)
}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(id, count uint32, end bool) uint32 {
	defer tell()
	return uint32(httpOf(id).OnHttpRequestHeaders(int(count), end))
}

//go:wasmexport proxy_on_request_body
func onRequestBody(id, size uint32, end bool) uint32 {
	defer tell()
	return uint32(httpOf(id).OnHttpRequestBody(int(size), end))
}

//go:wasmexport proxy_on_request_trailers
func onRequestTrailers(id, count uint32) uint32 {
	defer tell()
	return uint32(httpOf(id).OnHttpRequestTrailers(int(count)))
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(id, count uint32, end bool) uint32 {
	defer tell()
	return uint32(httpOf(id).OnHttpResponseHeaders(int(count), end))
}

//go:wasmexport proxy_on_response_body
func onResponseBody(id, size uint32, end bool) uint32 {
	defer tell()
	return uint32(httpOf(id).OnHttpResponseBody(int(size), end))
}

//go:wasmexport proxy_on_response_trailers
func onResponseTrailers(id, count uint32) uint32 {
	defer tell()
	return uint32(httpOf(id).OnHttpResponseTrailers(int(count)))
}

//go:wasmexport proxy_on_http_call_response
func onHttpCallResponse(_, token, headers, size, trailers uint32) {
	defer tell()
	call, found := calls[token]
	if !found {
		panic("an answer came to a call that was not made")
	}
	delete(calls, token)
	if _, alive := roots[call.caller]; !alive { // the stream ended while it waited
		return
	}
	active = call.caller
	hostSetEffectiveContext(call.caller)
	call.answer(int(headers), int(size), int(trailers))
}

//go:wasmexport proxy_on_new_connection
func onNewConnection(id uint32) uint32 {
	defer tell()
	return uint32(tcpOf(id).OnNewConnection())
}

//go:wasmexport proxy_on_downstream_data
func onDownstreamData(id, size uint32, end bool) uint32 {
	defer tell()
	return uint32(tcpOf(id).OnDownstreamData(int(size), end))
}

//go:wasmexport proxy_on_downstream_connection_close
func onDownstreamClose(id, peer uint32) {
	defer tell()
	tcpOf(id).OnDownstreamClose(types.PeerType(peer))
}

//go:wasmexport proxy_on_upstream_data
func onUpstreamData(id, size uint32, end bool) uint32 {
	defer tell()
	return uint32(tcpOf(id).OnUpstreamData(int(size), end))
}

//go:wasmexport proxy_on_upstream_connection_close
func onUpstreamClose(id, peer uint32) {
	defer tell()
	tcpOf(id).OnUpstreamClose(types.PeerType(peer))
}
