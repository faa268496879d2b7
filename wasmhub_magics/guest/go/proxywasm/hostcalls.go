package proxywasm

import (
	"fmt"
	"strings"
)

func GetHttpRequestHeaders() ([][2]string, error)       { return getPairs(0) }
func GetHttpRequestHeader(key string) (string, error)   { return getValue(0, key) }
func AddHttpRequestHeader(key, value string) error      { return addValue(0, key, value) }
func RemoveHttpRequestHeader(key string) error          { return removeValue(0, key) }
func ReplaceHttpRequestHeader(key, value string) error  { return replaceValue(0, key, value) }
func ReplaceHttpRequestHeaders(pairs [][2]string) error { return setPairs(0, pairs) }

func GetHttpRequestTrailers() ([][2]string, error)       { return getPairs(1) }
func GetHttpRequestTrailer(key string) (string, error)   { return getValue(1, key) }
func AddHttpRequestTrailer(key, value string) error      { return addValue(1, key, value) }
func RemoveHttpRequestTrailer(key string) error          { return removeValue(1, key) }
func ReplaceHttpRequestTrailer(key, value string) error  { return replaceValue(1, key, value) }
func ReplaceHttpRequestTrailers(pairs [][2]string) error { return setPairs(1, pairs) }

func GetHttpResponseHeaders() ([][2]string, error)       { return getPairs(2) }
func GetHttpResponseHeader(key string) (string, error)   { return getValue(2, key) }
func AddHttpResponseHeader(key, value string) error      { return addValue(2, key, value) }
func RemoveHttpResponseHeader(key string) error          { return removeValue(2, key) }
func ReplaceHttpResponseHeader(key, value string) error  { return replaceValue(2, key, value) }
func ReplaceHttpResponseHeaders(pairs [][2]string) error { return setPairs(2, pairs) }

func GetHttpResponseTrailers() ([][2]string, error)       { return getPairs(3) }
func GetHttpResponseTrailer(key string) (string, error)   { return getValue(3, key) }
func AddHttpResponseTrailer(key, value string) error      { return addValue(3, key, value) }
func RemoveHttpResponseTrailer(key string) error          { return removeValue(3, key) }
func ReplaceHttpResponseTrailer(key, value string) error  { return replaceValue(3, key, value) }
func ReplaceHttpResponseTrailers(pairs [][2]string) error { return setPairs(3, pairs) }

func GetHttpCallResponseHeaders() ([][2]string, error)  { return getPairs(6) }
func GetHttpCallResponseTrailers() ([][2]string, error) { return getPairs(7) }
func GetHttpCallResponseBody(start, maxSize int) ([]byte, error) {
	return getBuffer(4, start, maxSize)
}

func GetVMConfiguration() ([]byte, error)     { return getBuffer(6, 0, everything) }
func GetPluginConfiguration() ([]byte, error) { return getBuffer(7, 0, everything) }

func GetHttpRequestBody(start, maxSize int) ([]byte, error) { return getBuffer(0, start, maxSize) }
func AppendHttpRequestBody(data []byte) error               { return appendBuffer(0, data) }
func PrependHttpRequestBody(data []byte) error              { return prependBuffer(0, data) }
func ReplaceHttpRequestBody(data []byte) error              { return replaceBuffer(0, data) }

func GetHttpResponseBody(start, maxSize int) ([]byte, error) { return getBuffer(1, start, maxSize) }
func AppendHttpResponseBody(data []byte) error               { return appendBuffer(1, data) }
func PrependHttpResponseBody(data []byte) error              { return prependBuffer(1, data) }
func ReplaceHttpResponseBody(data []byte) error              { return replaceBuffer(1, data) }

func GetDownstreamData(start, maxSize int) ([]byte, error) { return getBuffer(2, start, maxSize) }
func AppendDownstreamData(data []byte) error               { return appendBuffer(2, data) }
func PrependDownstreamData(data []byte) error              { return prependBuffer(2, data) }
func ReplaceDownstreamData(data []byte) error              { return replaceBuffer(2, data) }

func GetUpstreamData(start, maxSize int) ([]byte, error) { return getBuffer(3, start, maxSize) }
func AppendUpstreamData(data []byte) error               { return appendBuffer(3, data) }
func PrependUpstreamData(data []byte) error              { return prependBuffer(3, data) }
func ReplaceUpstreamData(data []byte) error              { return replaceBuffer(3, data) }

func ResumeHttpRequest() error  { return failed(hostContinueStream(0)) }
func ResumeHttpResponse() error { return failed(hostContinueStream(1)) }
func ContinueTcpStream() error  { return failed(hostContinueStream(2)) }
func CloseDownstream() error    { return failed(hostCloseStream(2)) }
func CloseUpstream() error      { return failed(hostCloseStream(3)) }

// SendHttpResponse answers instead of the upstream; return types.ActionPause then. No gRPC status is -1.
func SendHttpResponse(statusCode uint32, headers [][2]string, body []byte, gRPCStatus int32) error {
	return failed(hostSendLocalResponse(statusCode, "", text(body), encoded(headers), gRPCStatus))
}

// DispatchHttpCall calls out to a cluster; callBack is called in the context of this caller.
func DispatchHttpCall(
	cluster string,
	headers [][2]string,
	body []byte,
	trailers [][2]string,
	timeoutMillisecond uint32,
	callBack func(numHeaders, bodySize, numTrailers int),
) (calloutID uint32, err error) {
	status := hostHttpCall(
		cluster, encoded(headers), text(body), encoded(trailers), timeoutMillisecond, &calloutID,
	)
	if err = failed(status); err != nil {
		return 0, err
	}
	calls[calloutID] = callout{caller: active, answer: callBack}
	return calloutID, nil
}

func SetTickPeriodMilliSeconds(millSec uint32) error { return failed(hostSetTickPeriod(millSec)) }
func SetEffectiveContext(contextID uint32) error     { return failed(hostSetEffectiveContext(contextID)) }
func PluginDone()                                    { hostDone() }

func GetProperty(path []string) ([]byte, error) {
	if len(path) == 0 {
		return nil, failed(2)
	}
	var at, size uint32
	status := hostGetProperty(strings.Join(path, "\x00"), &at, &size)
	return taken(status, at, size)
}

func GetPropertyMap(path []string) ([][2]string, error) {
	value, err := GetProperty(path)
	if err != nil {
		return nil, err
	}
	return decoded(value), nil
}

func SetProperty(path []string, data []byte) error {
	if len(path) == 0 {
		return failed(2)
	}
	return failed(hostSetProperty(strings.Join(path, "\x00"), text(data)))
}

func GetSharedData(key string) (value []byte, cas uint32, err error) {
	var at, size uint32
	status := hostGetSharedData(key, &at, &size, &cas)
	if value, err = taken(status, at, size); err != nil {
		return nil, 0, err
	}
	return value, cas, nil
}

func SetSharedData(key string, data []byte, cas uint32) error {
	return failed(hostSetSharedData(key, text(data), cas))
}

func RegisterSharedQueue(name string) (queueID uint32, err error) {
	err = failed(hostRegisterSharedQueue(name, &queueID))
	return queueID, err
}

func ResolveSharedQueue(vmID, queueName string) (queueID uint32, err error) {
	err = failed(hostResolveSharedQueue(vmID, queueName, &queueID))
	return queueID, err
}

func EnqueueSharedQueue(queueID uint32, data []byte) error {
	return failed(hostEnqueueSharedQueue(queueID, text(data)))
}

func DequeueSharedQueue(queueID uint32) ([]byte, error) {
	var at, size uint32
	status := hostDequeueSharedQueue(queueID, &at, &size)
	return taken(status, at, size)
}

func CallForeignFunction(funcName string, param []byte) (ret []byte, err error) {
	var at, size uint32
	status := hostCallForeignFunction(funcName, text(param), &at, &size)
	return taken(status, at, size)
}

type (
	MetricCounter   uint32
	MetricGauge     uint32
	MetricHistogram uint32
)

func define(kind uint32, name string) (metric uint32) {
	must(hostDefineMetric(kind, name, &metric), "define", name)
	return metric
}

func value(metric uint32) (number uint64) {
	must(hostGetMetric(metric, &number), "get", metric)
	return number
}

func must(status uint32, verb string, metric any) {
	if err := failed(status); err != nil {
		panic(fmt.Sprintf("%s metric %v: %v", verb, metric, err))
	}
}

func DefineCounterMetric(name string) MetricCounter     { return MetricCounter(define(0, name)) }
func DefineGaugeMetric(name string) MetricGauge         { return MetricGauge(define(1, name)) }
func DefineHistogramMetric(name string) MetricHistogram { return MetricHistogram(define(2, name)) }

func (m MetricCounter) Value() uint64   { return value(uint32(m)) }
func (m MetricGauge) Value() int64      { return int64(value(uint32(m))) }
func (m MetricHistogram) Value() uint64 { return value(uint32(m)) }

func (m MetricCounter) Increment(offset uint64) {
	must(hostIncrementMetric(uint32(m), int64(offset)), "increment", m)
}

func (m MetricGauge) Add(offset int64) { must(hostIncrementMetric(uint32(m), offset), "add to", m) }

func (m MetricHistogram) Record(value uint64) { must(hostRecordMetric(uint32(m), value), "record", m) }

func LogTrace(msg string)                  { hostLog(0, msg) }
func LogTracef(format string, args ...any) { hostLog(0, fmt.Sprintf(format, args...)) }

func LogDebug(msg string)                  { hostLog(1, msg) }
func LogDebugf(format string, args ...any) { hostLog(1, fmt.Sprintf(format, args...)) }

func LogInfo(msg string)                  { hostLog(2, msg) }
func LogInfof(format string, args ...any) { hostLog(2, fmt.Sprintf(format, args...)) }

func LogWarn(msg string)                  { hostLog(3, msg) }
func LogWarnf(format string, args ...any) { hostLog(3, fmt.Sprintf(format, args...)) }

func LogError(msg string)                  { hostLog(4, msg) }
func LogErrorf(format string, args ...any) { hostLog(4, fmt.Sprintf(format, args...)) }

func LogCritical(msg string)                  { hostLog(5, msg) }
func LogCriticalf(format string, args ...any) { hostLog(5, fmt.Sprintf(format, args...)) }
