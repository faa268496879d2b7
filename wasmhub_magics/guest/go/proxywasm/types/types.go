// Package types holds what a filter implements: contexts, and the values that their callbacks return.
package types

import "errors"

// Action tells the proxy whether to go on with a stream.
type Action uint32

const (
	ActionContinue Action = 0
	ActionPause    Action = 1
)

// OnVMStartStatus tells whether the virtual machine starts.
type OnVMStartStatus bool

const (
	OnVMStartStatusOK     OnVMStartStatus = true
	OnVMStartStatusFailed OnVMStartStatus = false
)

// OnPluginStartStatus tells whether the plugin takes its configuration.
type OnPluginStartStatus bool

const (
	OnPluginStartStatusOK     OnPluginStartStatus = true
	OnPluginStartStatusFailed OnPluginStartStatus = false
)

// PeerType tells who closed a connection.
type PeerType uint32

const (
	PeerTypeUnknown PeerType = 0
	PeerTypeLocal   PeerType = 1
	PeerTypeRemote  PeerType = 2
)

var (
	ErrorStatusNotFound    = errors.New("error status returned by host: not found")
	ErrorStatusBadArgument = errors.New("error status returned by host: bad argument")
	ErrorStatusEmpty       = errors.New("error status returned by host: empty")
	ErrorStatusCasMismatch = errors.New("error status returned by host: cas mismatch")
	ErrorInternalFailure   = errors.New("error status returned by host: internal failure")
	ErrorUnimplemented     = errors.New("error status returned by host: unimplemented")
)

// VMContext is the virtual machine; it makes a PluginContext for every configuration.
type VMContext interface {
	OnVMStart(vmConfigurationSize int) OnVMStartStatus
	NewPluginContext(contextID uint32) PluginContext
}

// PluginContext is one configuration; it makes a context for every stream. A nil one means: not this kind.
type PluginContext interface {
	OnPluginStart(pluginConfigurationSize int) OnPluginStartStatus
	OnPluginDone() bool
	OnQueueReady(queueID uint32)
	OnTick()
	NewTcpContext(contextID uint32) TcpContext
	NewHttpContext(contextID uint32) HttpContext
}

// HttpContext is one HTTP stream.
type HttpContext interface {
	OnHttpRequestHeaders(numHeaders int, endOfStream bool) Action
	OnHttpRequestBody(bodySize int, endOfStream bool) Action
	OnHttpRequestTrailers(numTrailers int) Action
	OnHttpResponseHeaders(numHeaders int, endOfStream bool) Action
	OnHttpResponseBody(bodySize int, endOfStream bool) Action
	OnHttpResponseTrailers(numTrailers int) Action
	OnHttpStreamDone()
}

// TcpContext is one TCP connection.
type TcpContext interface {
	OnNewConnection() Action
	OnDownstreamData(dataSize int, endOfStream bool) Action
	OnDownstreamClose(peerType PeerType)
	OnUpstreamData(dataSize int, endOfStream bool) Action
	OnUpstreamClose(peerType PeerType)
	OnStreamDone()
}

type (
	PluginContextFactory func(contextID uint32) PluginContext
	HttpContextFactory   func(contextID uint32) HttpContext
	TcpContextFactory    func(contextID uint32) TcpContext
)

// DefaultVMContext, embedded, does nothing and goes on; the others likewise.
type (
	DefaultVMContext     struct{}
	DefaultPluginContext struct{}
	DefaultHttpContext   struct{}
	DefaultTcpContext    struct{}
)

var (
	_ VMContext     = (*DefaultVMContext)(nil)
	_ PluginContext = (*DefaultPluginContext)(nil)
	_ HttpContext   = (*DefaultHttpContext)(nil)
	_ TcpContext    = (*DefaultTcpContext)(nil)
)

func (*DefaultVMContext) OnVMStart(int) OnVMStartStatus         { return OnVMStartStatusOK }
func (*DefaultVMContext) NewPluginContext(uint32) PluginContext { return &DefaultPluginContext{} }

func (*DefaultPluginContext) OnPluginStart(int) OnPluginStartStatus { return OnPluginStartStatusOK }
func (*DefaultPluginContext) OnPluginDone() bool                    { return true }
func (*DefaultPluginContext) OnQueueReady(uint32)                   {}
func (*DefaultPluginContext) OnTick()                               {}
func (*DefaultPluginContext) NewTcpContext(uint32) TcpContext       { return nil }
func (*DefaultPluginContext) NewHttpContext(uint32) HttpContext     { return nil }

func (*DefaultHttpContext) OnHttpRequestHeaders(int, bool) Action  { return ActionContinue }
func (*DefaultHttpContext) OnHttpRequestBody(int, bool) Action     { return ActionContinue }
func (*DefaultHttpContext) OnHttpRequestTrailers(int) Action       { return ActionContinue }
func (*DefaultHttpContext) OnHttpResponseHeaders(int, bool) Action { return ActionContinue }
func (*DefaultHttpContext) OnHttpResponseBody(int, bool) Action    { return ActionContinue }
func (*DefaultHttpContext) OnHttpResponseTrailers(int) Action      { return ActionContinue }
func (*DefaultHttpContext) OnHttpStreamDone()                      {}

func (*DefaultTcpContext) OnNewConnection() Action           { return ActionContinue }
func (*DefaultTcpContext) OnDownstreamData(int, bool) Action { return ActionContinue }
func (*DefaultTcpContext) OnDownstreamClose(PeerType)        {}
func (*DefaultTcpContext) OnUpstreamData(int, bool) Action   { return ActionContinue }
func (*DefaultTcpContext) OnUpstreamClose(PeerType)          {}
func (*DefaultTcpContext) OnStreamDone()                     {}
