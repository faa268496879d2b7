package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {
	wasm, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	count, _ := strconv.Atoi(os.Args[2])
	vm, err := proxytest.NewWasmVMContext(wasm)
	if err != nil {
		panic(err)
	}
	defer vm.Close()
	host, reset := proxytest.NewHostEmulator(proxytest.NewEmulatorOption().WithVMContext(vm))
	defer reset()
	if host.StartVM() != types.OnVMStartStatusOK {
		panic("the VM does not start")
	}
	if host.StartPlugin() != types.OnPluginStartStatusOK {
		panic("the plugin does not start")
	}
	run := func(n int) {
		for i := 0; i < n; i++ {
			headers := [][2]string{{":authority", "example.com"}, {":path", "/api/v1/items"}, {":method", "GET"}, {":scheme", "http"}}
			for h := 0; h < 16; h++ {
				headers = append(headers, [2]string{"x-h" + strconv.Itoa(h), "value"})
			}
			id := host.InitializeHttpContext()
			host.CallOnRequestHeaders(id, headers, true)
			if seen := host.GetCurrentRequestHeaders(id); i == 0 && seen[len(seen)-1][0] != "hello" {
				panic(fmt.Sprint("the filter did not do its work: ", seen))
			}
			host.CompleteHttpContext(id)
		}
	}
	run(count / 10)
	start := time.Now()
	run(count)
	fmt.Println(time.Since(start).Seconds() / float64(count))
}
