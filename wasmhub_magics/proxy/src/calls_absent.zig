//! Host functions of module `env` that this proxy does not have yet. Each says so: to the filter by its
//! result, to the user by a warning.

const abi = @import("abi.zig");
const log = @import("log.zig");
const std = @import("std");
const calls = @import("calls.zig");

const Error = abi.Error;

fn absent(comptime name: []const u8) Error {
    log.warn("{s} is not there in the embedded proxy yet: the filter got Unimplemented (12)", .{name});
    return error.Unimplemented;
}

pub fn proxy_grpc_call(_: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32) Error!void {
    return absent("proxy_grpc_call");
}

pub fn proxy_grpc_stream(_: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32) Error!void {
    return absent("proxy_grpc_stream");
}

pub fn proxy_grpc_send(_: u32, _: u32, _: u32, _: u32) Error!void {
    return absent("proxy_grpc_send");
}

pub fn proxy_grpc_cancel(_: u32) Error!void {
    return absent("proxy_grpc_cancel");
}

pub fn proxy_grpc_close(_: u32) Error!void {
    return absent("proxy_grpc_close");
}

pub fn envoy_resolve_dns(_: u32, _: u32, _: u32) Error!void {
    return absent("envoy_resolve_dns");
}

/// Envoy's foreign functions; any other name is not found there either.
const Foreign = enum {
    compress,
    uncompress,
    set_envoy_filter_state,
    clear_route_cache,
    verify_signature,
    sign,
    expr_create,
    expr_evaluate,
    expr_delete,
    declare_property,
};

pub fn proxy_call_foreign_function(name: u32, name_len: u32, _: u32, _: u32, _: u32, _: u32) Error!void {
    const context = try calls.current();
    const text = try context.vm.read(name, name_len);
    const known = std.meta.stringToEnum(Foreign, text) orelse return error.NotFound;
    if (known == .clear_route_cache) return;
    log.warn("the foreign function {t} is not there in the embedded proxy yet: the filter got Unimplemented (12)", .{known});
    return error.Unimplemented;
}
