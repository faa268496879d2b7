"""The Proxy-Wasm ABI as Envoy 1.40 links it: host functions and callbacks of each version, with their types.

The tables follow ``proxy-wasm-cpp-host`` (``include/proxy-wasm/exports.h``, ``src/wasm.cc``), which is what
Envoy runs, also where it differs from the specification's text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = [
    "CALLBACKS",
    "HOST_FUNCTIONS",
    "START_FUNCTIONS",
    "VERSIONS",
    "WASI_MODULES",
    "Callback",
    "FuncType",
    "HostFunction",
    "marker",
]

VERSIONS: Final = ("0.1.0", "0.2.0", "0.2.1")
WASI_MODULES: Final = ("wasi_snapshot_preview1", "wasi_unstable")


def marker(version: str) -> str:
    """The name of the function whose export declares an ABI version; it is never called."""
    return "proxy_abi_version_" + version.replace(".", "_")


@dataclass(frozen=True, slots=True)
class FuncType:
    """The type of a function: value types by name, such as ``i32``."""

    params: tuple[str, ...] = ()
    results: tuple[str, ...] = ()

    def __str__(self) -> str:
        results = ", ".join(self.results)
        if len(self.results) != 1:
            results = f"({results})"
        return f"({', '.join(self.params)}) -> {results}"


@dataclass(frozen=True, slots=True)
class HostFunction:
    """A function that a proxy offers: its parameters by name, and the ABI versions that have it."""

    module: str
    name: str
    params: tuple[str, ...]
    type: FuncType
    versions: tuple[str, ...] = VERSIONS


@dataclass(frozen=True, slots=True)
class Callback:
    """A function that a proxy calls, where a module exports it."""

    name: str
    params: tuple[str, ...]
    type: FuncType
    versions: tuple[str, ...] = VERSIONS


def _signature(params: str, result: str) -> tuple[tuple[str, ...], FuncType]:
    """Read ``"id offset:i64"``: a parameter without a type is an i32."""
    pairs = [word.partition(":") for word in params.split()]
    types = tuple(kind or "i32" for _, _, kind in pairs)
    return tuple(name for name, _, _ in pairs), FuncType(types, (result,) if result else ())


_V2 = ("0.2.0", "0.2.1")

_PROXY = """
proxy_log                       level msg_ptr msg_len
proxy_get_status                ret_code ret_msg_ptr ret_msg_len
proxy_get_property              path_ptr path_len ret_ptr ret_len
proxy_set_property              path_ptr path_len value_ptr value_len
proxy_send_local_response       http_code details_ptr details_len body_ptr body_len headers_ptr headers_len \
grpc_status
proxy_get_header_map_value      map key_ptr key_len ret_ptr ret_len
proxy_add_header_map_value      map key_ptr key_len value_ptr value_len
proxy_replace_header_map_value  map key_ptr key_len value_ptr value_len
proxy_remove_header_map_value   map key_ptr key_len
proxy_get_header_map_pairs      map ret_ptr ret_len
proxy_set_header_map_pairs      map pairs_ptr pairs_len
proxy_get_header_map_size       map ret_size
proxy_get_buffer_bytes          buffer start max_len ret_ptr ret_len
proxy_get_buffer_status         buffer ret_len ret_flags
proxy_set_buffer_bytes          buffer start len value_ptr value_len
proxy_http_call                 upstream_ptr upstream_len headers_ptr headers_len body_ptr body_len \
trailers_ptr trailers_len timeout_ms ret_token
proxy_grpc_call                 service_ptr service_len name_ptr name_len method_ptr method_len \
metadata_ptr metadata_len message_ptr message_len timeout_ms ret_token
proxy_grpc_stream               service_ptr service_len name_ptr name_len method_ptr method_len \
metadata_ptr metadata_len ret_token
proxy_grpc_send                 token message_ptr message_len end_of_stream
proxy_grpc_cancel               token
proxy_grpc_close                token
proxy_get_shared_data           key_ptr key_len ret_ptr ret_len ret_cas
proxy_set_shared_data           key_ptr key_len value_ptr value_len cas
proxy_register_shared_queue     name_ptr name_len ret_token
proxy_resolve_shared_queue      vm_id_ptr vm_id_len name_ptr name_len ret_token
proxy_enqueue_shared_queue      token value_ptr value_len
proxy_dequeue_shared_queue      token ret_ptr ret_len
proxy_define_metric             type name_ptr name_len ret_id
proxy_increment_metric          id offset:i64
proxy_record_metric             id value:i64
proxy_get_metric                id ret_value
proxy_set_tick_period_milliseconds  period_ms
proxy_get_current_time_nanoseconds  ret_time
proxy_set_effective_context     context_id
proxy_done
proxy_call_foreign_function     name_ptr name_len argument_ptr argument_len ret_ptr ret_len
pthread_equal                   left right
envoy_resolve_dns               name_ptr name_len ret_token
"""

_PROXY_OF_VERSIONS = {
    "proxy_get_configuration ret_ptr ret_len": ("0.1.0",),
    "proxy_continue_request": ("0.1.0",),
    "proxy_continue_response": ("0.1.0",),
    "proxy_clear_route_cache": ("0.1.0",),
    "proxy_continue_stream stream": _V2,
    "proxy_close_stream stream": _V2,
    "proxy_get_log_level ret_level": ("0.2.1",),
}

# path_link and path_symlink are one parameter short of WASI preview 1: that is how Envoy declares them.
_WASI = """
fd_write fd iovs iovs_len ret_written
fd_read fd iovs iovs_len ret_read
fd_seek fd offset:i64 whence ret_position
fd_close fd
fd_fdstat_get fd ret_stat
fd_fdstat_set_flags fd flags
fd_fdstat_set_rights fd base:i64 inheriting:i64
environ_get ret_environ ret_buffer
environ_sizes_get ret_count ret_size
args_get ret_argv ret_buffer
args_sizes_get ret_count ret_size
clock_time_get clock precision:i64 ret_time
clock_res_get clock ret_resolution
fd_advise fd offset:i64 len:i64 advice
fd_allocate fd offset:i64 len:i64
fd_datasync fd
fd_filestat_set_size fd size:i64
fd_filestat_set_times fd accessed:i64 modified:i64 flags
fd_pread fd iovs iovs_len offset:i64 ret_read
fd_pwrite fd iovs iovs_len offset:i64 ret_written
fd_readdir fd buffer buffer_len cookie:i64 ret_used
fd_renumber from to
fd_sync fd
fd_tell fd ret_offset
path_create_directory fd path_ptr path_len
path_filestat_set_times fd flags path_ptr path_len accessed:i64 modified:i64 time_flags
path_link old_fd old_flags old_path old_path_len new_fd new_path
path_readlink fd path_ptr path_len buffer buffer_len ret_used
path_remove_directory fd path_ptr path_len
path_rename old_fd old_path old_path_len new_fd new_path new_path_len
path_symlink old_path old_path_len fd new_path
path_unlink_file fd path_ptr path_len
sock_accept fd flags ret_fd
sock_recv fd iovs iovs_len flags ret_len ret_flags
sock_send fd iovs iovs_len flags ret_len
sock_shutdown fd how
random_get buffer buffer_len
sched_yield
poll_oneoff in out subscriptions ret_events
path_open fd dir_flags path_ptr path_len open_flags base:i64 inheriting:i64 fd_flags ret_fd
fd_prestat_get fd ret_prestat
fd_prestat_dir_name fd path_ptr path_len
path_filestat_get fd flags path_ptr path_len ret_stat
fd_filestat_get fd ret_stat
"""


def _host_functions() -> Iterator[HostFunction]:
    for line in _PROXY.strip().splitlines():
        name, _, params = line.partition(" ")
        yield HostFunction("env", name, *_signature(params, "i32"))
    for line, versions in _PROXY_OF_VERSIONS.items():
        name, _, params = line.partition(" ")
        yield HostFunction("env", name, *_signature(params, "i32"), versions)
    yield HostFunction("env", "emscripten_notify_memory_growth", *_signature("memory", ""))
    for module in WASI_MODULES:
        for line in _WASI.strip().splitlines():
            name, _, params = line.partition(" ")
            yield HostFunction(module, name, *_signature(params, "i32"))
        yield HostFunction(module, "proc_exit", *_signature("code", ""))


HOST_FUNCTIONS: Final = {(f.module, f.name): f for f in _host_functions()}
"""Every function that Envoy offers, by module and name."""

_CALLBACKS = """
proxy_on_context_create                  context parent ->
proxy_validate_configuration             context size -> ok
proxy_on_vm_start                        context size -> ok
proxy_on_configure                       context size -> ok
proxy_on_tick                            context ->
proxy_on_new_connection                  context -> action
proxy_on_downstream_data                 context size end_of_stream -> action
proxy_on_upstream_data                   context size end_of_stream -> action
proxy_on_downstream_connection_close     context peer ->
proxy_on_upstream_connection_close       context peer ->
proxy_on_request_body                    context size end_of_stream -> action
proxy_on_request_trailers                context count -> action
proxy_on_request_metadata                context count -> action
proxy_on_response_body                   context size end_of_stream -> action
proxy_on_response_trailers               context count -> action
proxy_on_response_metadata               context count -> action
proxy_on_http_call_response              context token headers body_size trailers ->
proxy_on_grpc_receive_initial_metadata   context token count ->
proxy_on_grpc_receive_trailing_metadata  context token count ->
proxy_on_grpc_receive                    context token size ->
proxy_on_grpc_close                      context token status ->
proxy_on_queue_ready                     context token ->
proxy_on_done                            context -> ok
proxy_on_log                             context ->
proxy_on_delete                          context ->
envoy_on_resolve_dns                     context token size ->
envoy_on_stats_update                    context size ->
"""


def _callback(line: str, versions: tuple[str, ...] = VERSIONS) -> Callback:
    left, _, result = line.partition("->")
    name, _, params = left.strip().partition(" ")
    return Callback(name, *_signature(params, "i32" if result.strip() else ""), versions)


CALLBACKS: Final = (
    *(_callback(line) for line in _CALLBACKS.strip().splitlines()),
    *(
        callback
        for name in ("proxy_on_request_headers", "proxy_on_response_headers")
        for callback in (
            _callback(f"{name} context count -> action", ("0.1.0",)),
            _callback(f"{name} context count end_of_stream -> action", _V2),
        )
    ),
    _callback("proxy_on_foreign_function context function size ->", _V2),
)
"""Every callback; the two for headers have one entry for each of their shapes."""

START_FUNCTIONS: Final = {
    "_initialize": FuncType(),
    "_start": FuncType(),
    "main": FuncType(("i32", "i32"), ("i32",)),
    "__main_void": FuncType((), ("i32",)),
    "malloc": FuncType(("i32",), ("i32",)),
    "proxy_on_memory_allocate": FuncType(("i32",), ("i32",)),
}
"""What a proxy calls to start a module and to allocate memory in it."""
