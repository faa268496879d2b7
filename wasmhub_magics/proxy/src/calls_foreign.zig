//! Envoy's foreign functions (`source/extensions/common/wasm/foreign.cc`).

const std = @import("std");
const abi = @import("abi.zig");
const calls = @import("calls.zig");
const filter_state = @import("filter_state.zig");
const declared = @import("declared.zig");
const log = @import("log.zig");
const proto = @import("proto.zig");
const reply = @import("reply.zig");
const gpa = @import("arena.zig").gpa;
const worker = @import("worker.zig");
const Context = @import("vm.zig").Context;

/// What the driver does, since it has the libraries. The high half of what `foreign` gives is a WasmResult, or
/// `absent`; the low half is how many bytes `fetch` will write.
const driver = struct {
    extern "wasmhub" fn foreign(
        function: u32,
        plugin: u32,
        argument: [*]const u8,
        argument_length: usize,
        attributes: [*]const u8,
        attributes_length: usize,
    ) u64;
    extern "wasmhub" fn fetch(to: [*]u8) void;
    const absent = 255;
};

const Error = abi.Error;
const flate = std.compress.flate;

/// The driver knows them by their place here.
const Foreign = enum(u32) {
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

pub fn proxy_call_foreign_function(name: u32, name_len: u32, data: u32, data_len: u32, ret: u32, ret_len: u32) Error!void {
    const context = try calls.current();
    const vm = context.vm;
    const text = try vm.read(name, name_len);
    const argument = try vm.read(data, data_len);
    const known = std.meta.stringToEnum(Foreign, text) orelse return error.NotFound;
    // What comes out is written whatever the status is.
    errdefer vm.give("", ret, ret_len) catch {};
    switch (known) {
        .compress => try give(context, try compress(argument), ret, ret_len),
        .uncompress => try give(context, try uncompress(argument), ret, ret_len),
        .set_envoy_filter_state => {
            try setFilterState(context, argument);
            try vm.give("", ret, ret_len);
        },
        .clear_route_cache => try vm.give("", ret, ret_len),
        .declare_property => {
            try declare(context, argument);
            try vm.give("", ret, ret_len);
        },
        .verify_signature, .sign, .expr_create, .expr_delete => try ask(known, argument, "", ret, ret_len),
        .expr_evaluate => {
            const attributes = try declared.everything(worker.caller orelse context);
            defer gpa.free(attributes);
            try ask(known, argument, attributes, ret, ret_len);
        },
    }
}

/// Let the driver do it.
fn ask(function: Foreign, argument: []const u8, attributes: []const u8, ret: u32, ret_len: u32) Error!void {
    const context = worker.caller orelse return error.InternalFailure;
    const outcome = driver.foreign(
        @backingInt(function),
        context.plugin_index,
        argument.ptr,
        argument.len,
        attributes.ptr,
        attributes.len,
    );
    const bytes = try worker.arena.take(@truncate(outcome));
    driver.fetch(bytes.ptr);
    switch (outcome >> 32) {
        0 => return context.vm.give(bytes, ret, ret_len),
        1 => return error.NotFound,
        2 => return error.BadArgument,
        3 => return error.SerializationFailure,
        driver.absent => {
            log.warn("the foreign function {t} is not there: {s}. The filter got NotFound (1)", .{ function, bytes });
            return error.NotFound;
        },
        else => return error.InternalFailure,
    }
}

/// `DeclarePropertyArguments`: name 1, readonly 2, type 3, schema 4, span 5.
fn declare(context: *Context, bytes: []const u8) Error!void {
    var name: []const u8 = "";
    var readonly = false;
    var text = false;
    var reader: proto.Fields = .{ .bytes = bytes };
    while (try reader.next()) |field| switch (field.number) {
        1 => name = field.bytes orelse return error.BadArgument,
        2 => readonly = field.value != 0,
        3 => text = field.value == 1,
        else => {},
    };
    try declared.declare(context, name, readonly, text);
}

fn give(context: *Context, bytes: []u8, ret: u32, ret_len: u32) Error!void {
    defer gpa.free(bytes);
    try context.vm.give(bytes, ret, ret_len);
}

fn compress(bytes: []const u8) Error![]u8 {
    var output: std.Io.Writer.Allocating = .init(gpa);
    errdefer output.deinit();
    try output.ensureTotalCapacity(bytes.len / 2 + 64);
    const window = try gpa.alloc(u8, flate.max_window_len);
    defer gpa.free(window);
    // On the heap: it is larger than the stack.
    const compressor = try gpa.create(flate.Compress);
    defer gpa.destroy(compressor);
    compressor.* = flate.Compress.init(&output.writer, window, .zlib, .default) catch return error.OutOfMemory;
    compressor.writer.writeAll(bytes) catch return error.OutOfMemory;
    compressor.finish() catch return error.OutOfMemory;
    return output.toOwnedSlice();
}

/// More would not fit into a filter's memory.
const most = 256 << 20;

fn uncompress(bytes: []const u8) Error![]u8 {
    var input: std.Io.Reader = .fixed(bytes);
    var output: std.Io.Writer.Allocating = .init(gpa);
    errdefer output.deinit();
    try output.ensureTotalCapacity(bytes.len * 2 + 64);
    const window = try gpa.alloc(u8, flate.max_window_len);
    defer gpa.free(window);
    var decompressor: flate.Decompress = .init(&input, .zlib, window);
    while (true) {
        _ = decompressor.reader.stream(&output.writer, .limited(1 << 20)) catch |failure| switch (failure) {
            error.EndOfStream => break,
            error.ReadFailed => return error.SerializationFailure,
            error.WriteFailed => return error.OutOfMemory,
        };
        if (output.written().len > most) return error.OutOfMemory;
    }
    return output.toOwnedSlice();
}

/// Kinds of filter state whose value Envoy makes of any text (factories of `StreamInfo::FilterState::Object`).
const textual = [_][]const u8{
    "envoy.string",
    "envoy.hashable_string",
    "envoy.tcp_proxy.cluster",
    "envoy.network.upstream_server_name",
    "envoy.network.upstream_subject_alt_names",
    "envoy.upstream.dynamic_host",
};
const numeric = [_][]const u8{ "envoy.upstream.dynamic_port", "envoy.ratelimit.hits_addend" };
/// Nobody can read it back.
const hidden = "envoy.network.application_protocols";

/// `SetEnvoyFilterStateArguments`: path 1, value 2, span 3.
fn setFilterState(context: *Context, bytes: []const u8) Error!void {
    var path: []const u8 = "";
    var value: []const u8 = "";
    var reader: proto.Fields = .{ .bytes = bytes };
    while (try reader.next()) |field| switch (field.number) {
        1 => path = field.bytes orelse return error.BadArgument,
        2 => value = field.bytes orelse return error.BadArgument,
        else => {},
    };
    for (textual ++ numeric ++ .{hidden}) |name| {
        if (!std.mem.eql(u8, name, path)) continue;
        if (isNumeric(path)) {
            value = try reply.number(std.fmt.parseInt(u32, value, 10) catch return error.BadArgument);
        }
        if (context.filter == null and context.connection == null) return error.NotFound;
        return if (std.mem.eql(u8, path, hidden)) {} else filter_state.keep(name, value);
    }
    if (std.mem.startsWith(u8, path, "envoy.")) {
        log.warn("filter state of the kind {s} is not there in the embedded proxy: the filter got NotFound (1)", .{path});
    }
    return error.NotFound;
}

fn isNumeric(path: []const u8) bool {
    for (numeric) |name| {
        if (std.mem.eql(u8, name, path)) return true;
    }
    return false;
}
