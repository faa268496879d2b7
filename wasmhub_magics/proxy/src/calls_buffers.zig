//! The host functions for bodies, messages and configurations.

const abi = @import("abi.zig");
const buffer = @import("buffer.zig");
const callout = @import("callout.zig");
const current = @import("calls.zig").current;
const dns = @import("calls_dns.zig");
const grpc = @import("grpc.zig");
const tcp = @import("tcp.zig");
const trace = @import("trace.zig");
const worker = @import("worker.zig");
const Context = @import("vm.zig").Context;
const Side = @import("stream.zig").Side;

const BufferType = abi.BufferType;
const Error = abi.Error;

fn bytesOf(context: *Context, raw: u32) Error![]const u8 {
    switch (try BufferType.from(raw)) {
        .vm_configuration => return context.vm.configuration,
        .plugin_configuration => {
            const plugin = context.plugin orelse return error.NotFound;
            return if (plugin.configuring) plugin.configuration else error.NotFound;
        },
        .request_body => return body(context, .request),
        .response_body => return body(context, .response),
        // Envoy gives for call data whatever buffer was looked at before.
        .downstream_data, .upstream_data => |data| {
            const connection = context.connection orelse return "";
            const found = tcp.visible(connection, data == .downstream_data) orelse return "";
            return found.bytes.items;
        },
        .call_data => return dns.told,
        .grpc_message => return grpc.received(context),
        .call_body => {
            const call = callout.of(context) orelse return error.NotFound;
            return if (call.headers.exists) call.body.items else error.NotFound;
        },
    }
}

fn body(context: *Context, side: Side) []const u8 {
    const filter = context.filter orelse return "";
    const visible = worker.stream.visibleBody(filter, side) orelse return "";
    return visible.bytes.items;
}

pub fn proxy_get_buffer_bytes(kind: u32, start: u32, length: u32, ret: u32, ret_len: u32) Error!void {
    const context = try current();
    const bytes = try bytesOf(context, kind);
    try context.vm.give(buffer.slice(bytes, start, length), ret, ret_len);
}

pub fn proxy_get_buffer_status(kind: u32, ret_length: u32, ret_flags: u32) Error!void {
    const context = try current();
    const bytes = try bytesOf(context, kind);
    try context.vm.store32(ret_length, @intCast(bytes.len));
    try context.vm.store32(ret_flags, 0);
}

pub fn proxy_set_buffer_bytes(kind: u32, start: u32, length: u32, value: u32, value_len: u32) Error!void {
    const context = try current();
    _ = try bytesOf(context, kind);
    const text = try context.vm.read(value, value_len);
    const side: Side = switch (try BufferType.from(kind)) {
        .request_body => .request,
        .response_body => .response,
        .downstream_data, .upstream_data => |data| {
            const connection = context.connection orelse return error.BadArgument;
            const found = tcp.visible(connection, data == .downstream_data) orelse return error.BadArgument;
            return found.write(start, length, text);
        },
        .grpc_message => {
            const message = grpc.receiving(context) orelse return error.BadArgument;
            return message.write(start, length, text);
        },
        else => return error.BadArgument,
    };
    const filter = context.filter orelse return error.BadArgument;
    const written = worker.stream.visibleBody(filter, side) orelse return error.BadArgument;
    if (trace.on) trace.touchBody(kind, written);
    try written.write(start, length, text);
}

/// ABI 0.1.0: the plugin's configuration while it starts, else that of the VM.
pub fn proxy_get_configuration(ret: u32, ret_len: u32) Error!void {
    const context = try current();
    const configuration = if (context.plugin) |plugin|
        if (plugin.configuring) plugin.configuration else context.vm.configuration
    else
        context.vm.configuration;
    try context.vm.give(configuration, ret, ret_len);
}
