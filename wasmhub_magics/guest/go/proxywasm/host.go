package proxywasm

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// Strings and pairs of a pointer and a size are the same to the host.

//go:wasmimport env proxy_log
func hostLog(level uint32, message string) uint32

//go:wasmimport env proxy_send_local_response
func hostSendLocalResponse(status uint32, detail, body, headers string, grpc int32) uint32

//go:wasmimport env proxy_get_shared_data
func hostGetSharedData(key string, at, size, cas *uint32) uint32

//go:wasmimport env proxy_set_shared_data
func hostSetSharedData(key, value string, cas uint32) uint32

//go:wasmimport env proxy_register_shared_queue
func hostRegisterSharedQueue(name string, queue *uint32) uint32

//go:wasmimport env proxy_resolve_shared_queue
func hostResolveSharedQueue(vm, name string, queue *uint32) uint32

//go:wasmimport env proxy_dequeue_shared_queue
func hostDequeueSharedQueue(queue uint32, at, size *uint32) uint32

//go:wasmimport env proxy_enqueue_shared_queue
func hostEnqueueSharedQueue(queue uint32, value string) uint32

//go:wasmimport env proxy_get_header_map_value
func hostGetValue(list uint32, key string, at, size *uint32) uint32

//go:wasmimport env proxy_add_header_map_value
func hostAddValue(list uint32, key, value string) uint32

//go:wasmimport env proxy_replace_header_map_value
func hostReplaceValue(list uint32, key, value string) uint32

//go:wasmimport env proxy_remove_header_map_value
func hostRemoveValue(list uint32, key string) uint32

//go:wasmimport env proxy_get_header_map_pairs
func hostGetPairs(list uint32, at, size *uint32) uint32

//go:wasmimport env proxy_set_header_map_pairs
func hostSetPairs(list uint32, pairs string) uint32

//go:wasmimport env proxy_get_buffer_bytes
func hostGetBuffer(buffer, start, most uint32, at, size *uint32) uint32

//go:wasmimport env proxy_set_buffer_bytes
func hostSetBuffer(buffer, start, replaced uint32, value string) uint32

//go:wasmimport env proxy_continue_stream
func hostContinueStream(stream uint32) uint32

//go:wasmimport env proxy_close_stream
func hostCloseStream(stream uint32) uint32

//go:wasmimport env proxy_http_call
func hostHttpCall(cluster, headers, body, trailers string, timeout uint32, token *uint32) uint32

//go:wasmimport env proxy_call_foreign_function
func hostCallForeignFunction(name, parameter string, at, size *uint32) uint32

//go:wasmimport env proxy_set_tick_period_milliseconds
func hostSetTickPeriod(milliseconds uint32) uint32

//go:wasmimport env proxy_set_effective_context
func hostSetEffectiveContext(id uint32) uint32

//go:wasmimport env proxy_done
func hostDone() uint32

//go:wasmimport env proxy_define_metric
func hostDefineMetric(kind uint32, name string, metric *uint32) uint32

//go:wasmimport env proxy_increment_metric
func hostIncrementMetric(metric uint32, offset int64) uint32

//go:wasmimport env proxy_record_metric
func hostRecordMetric(metric uint32, value uint64) uint32

//go:wasmimport env proxy_get_metric
func hostGetMetric(metric uint32, value *uint64) uint32

//go:wasmimport env proxy_get_property
func hostGetProperty(path string, at, size *uint32) uint32

//go:wasmimport env proxy_set_property
func hostSetProperty(path, value string) uint32

func failed(status uint32) error {
	switch status {
	case 0:
		return nil
	case 1:
		return types.ErrorStatusNotFound
	case 2:
		return types.ErrorStatusBadArgument
	case 7:
		return types.ErrorStatusEmpty
	case 8:
		return types.ErrorStatusCasMismatch
	case 10:
		return types.ErrorInternalFailure
	case 12:
		return types.ErrorUnimplemented
	}
	return fmt.Errorf("error status returned by host: %d", status)
}

// text is the same bytes as a string, for the length of a call.
func text(value []byte) string { return unsafe.String(unsafe.SliceData(value), len(value)) }

// taken is what the host put into memory that it asked for.
func taken(status, at, size uint32) ([]byte, error) {
	if err := failed(status); err != nil {
		return nil, err
	}
	place := (*byte)(unsafe.Add(unsafe.Pointer(nil), at))
	value, found := memory[place]
	delete(memory, place)
	if !found || uint32(len(value)) < size {
		return nil, nil
	}
	return value[:size:size], nil
}

// filled is taken for what the SDK has no empty value of: where there is nothing, it is not found.
func filled(status, at, size uint32) ([]byte, error) {
	value, err := taken(status, at, size)
	if err == nil && size == 0 {
		err = types.ErrorStatusNotFound
	}
	return value, err
}

func encoded(pairs [][2]string) string {
	size := 4
	for _, pair := range pairs {
		size += 8 + len(pair[0]) + 1 + len(pair[1]) + 1
	}
	out := binary.LittleEndian.AppendUint32(make([]byte, 0, size), uint32(len(pairs)))
	for _, pair := range pairs {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(pair[0])))
		out = binary.LittleEndian.AppendUint32(out, uint32(len(pair[1])))
	}
	for _, pair := range pairs {
		out = append(append(out, pair[0]...), 0)
		out = append(append(out, pair[1]...), 0)
	}
	return text(out)
}

func decoded(pairs []byte) [][2]string {
	if len(pairs) < 4 {
		return nil
	}
	count := int(binary.LittleEndian.Uint32(pairs))
	at := 4 + 8*count
	next := func(size uint32) string {
		value := string(pairs[at : at+int(size)])
		at += int(size) + 1
		return value
	}
	out := make([][2]string, count)
	for i := range out {
		sizes := pairs[4+8*i:]
		out[i][0] = next(binary.LittleEndian.Uint32(sizes))
		out[i][1] = next(binary.LittleEndian.Uint32(sizes[4:]))
	}
	return out
}

func getPairs(list uint32) ([][2]string, error) {
	var at, size uint32
	status := hostGetPairs(list, &at, &size)
	value, err := filled(status, at, size)
	if err != nil {
		return nil, err
	}
	return decoded(value), nil
}

func getValue(list uint32, key string) (string, error) {
	var at, size uint32
	status := hostGetValue(list, key, &at, &size)
	value, err := taken(status, at, size)
	return string(value), err
}

func setPairs(list uint32, pairs [][2]string) error {
	return failed(hostSetPairs(list, encoded(pairs)))
}
func addValue(list uint32, key, value string) error { return failed(hostAddValue(list, key, value)) }
func removeValue(list uint32, key string) error     { return failed(hostRemoveValue(list, key)) }

func replaceValue(list uint32, key, value string) error {
	return failed(hostReplaceValue(list, key, value))
}

func getBuffer(buffer uint32, start, most int) ([]byte, error) {
	var at, size uint32
	status := hostGetBuffer(buffer, uint32(start), uint32(most), &at, &size)
	return filled(status, at, size)
}

const everything = 1<<31 - 1

func appendBuffer(buffer uint32, data []byte) error {
	return failed(hostSetBuffer(buffer, everything, 0, text(data)))
}

func prependBuffer(buffer uint32, data []byte) error {
	return failed(hostSetBuffer(buffer, 0, 0, text(data)))
}

func replaceBuffer(buffer uint32, data []byte) error {
	return failed(hostSetBuffer(buffer, 0, everything, text(data)))
}
