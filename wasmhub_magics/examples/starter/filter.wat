;; Greets everybody alike.
(module
  (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "x-greeting" "hello stranger")

  ;; The proxy asks for memory to hand values over in; this filter reads none of them, so one place serves all.
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32) (i32.const 1024))
  (func (export "proxy_abi_version_0_2_1"))

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (drop (call $set (i32.const 0) (i32.const 0) (i32.const 10) (i32.const 10) (i32.const 14)))
    (i32.const 0)))
