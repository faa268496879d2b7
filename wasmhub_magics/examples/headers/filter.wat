;; Add and rewrite headers.
(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "x-env" "prod" "x-internal-token" ":path" "/api/")
  (data (i32.const 64) "x-powered-by" "strict-transport-security" "max-age=63072000")
  (data (i32.const 128) "x-content-type-options" "nosniff")

  ;; What the proxy hands over lies in the second page; nothing of it is kept, so each callback starts anew.
  (global $top (mut i32) (i32.const 65536))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $top))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (block $enough
      (br_if $enough (i32.le_u (global.get $top) (i32.shl (memory.size) (i32.const 16))))
      (drop (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))))
    (local.get $at))

  (func (export "proxy_abi_version_0_2_1"))

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (local $path i32) (local $size i32)
    (global.set $top (i32.const 65536))
    (drop (call $set (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 5) (i32.const 4)))
    (drop (call $remove (i32.const 0) (i32.const 9) (i32.const 16)))
    (block $other
      (br_if $other (call $get (i32.const 0) (i32.const 25) (i32.const 5) (i32.const 240) (i32.const 244)))
      (local.set $path (i32.load (i32.const 240)))
      (local.set $size (i32.load (i32.const 244)))
      (br_if $other (i32.lt_u (local.get $size) (i32.const 5)))
      (br_if $other (i32.ne (i32.load (local.get $path)) (i32.load (i32.const 30)))) ;; "/api"
      (br_if $other (i32.ne (i32.load8_u offset=4 (local.get $path)) (i32.const 0x2f)))
      ;; "/v1/" is one shorter than "/api/"
      (i32.store offset=1 (local.get $path) (i32.const 0x2f31762f))
      (drop (call $set (i32.const 0) (i32.const 25) (i32.const 5)
        (i32.add (local.get $path) (i32.const 1)) (i32.sub (local.get $size) (i32.const 1)))))
    (i32.const 0))

  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (drop (call $remove (i32.const 2) (i32.const 64) (i32.const 12)))
    (drop (call $set (i32.const 2) (i32.const 76) (i32.const 25) (i32.const 101) (i32.const 16)))
    (drop (call $set (i32.const 2) (i32.const 128) (i32.const 22) (i32.const 150) (i32.const 7)))
    (i32.const 0)))
