//! What plugins declare about properties they will set, and all properties at once, for expressions.

const std = @import("std");
const abi = @import("abi.zig");
const gpa = @import("arena.zig").gpa;
const property = @import("property.zig");
const worker = @import("worker.zig");
const Context = @import("vm.zig").Context;
const Plugin = @import("plugin.zig").Plugin;
const Prototype = @import("plugin.zig").Prototype;

const Error = abi.Error;

pub noinline fn check(context: *Context, name: []const u8) Error!void {
    @branchHint(.cold);
    const known = prototype(context.plugin.?, name[5..]) orelse return;
    if (!known.readonly) return;
    for (worker.stream.properties.items) |entry| {
        if (std.mem.eql(u8, entry.name, name)) return error.BadArgument;
    }
}

fn prototype(plugin: *const Plugin, name: []const u8) ?*const Prototype {
    for (plugin.prototypes.items) |*known| {
        if (known.filter == null and std.mem.eql(u8, known.name, name)) return known;
    }
    return null;
}

/// Say what a property will be. It counts where the root context said it; a second time is refused.
pub fn declare(context: *Context, name: []const u8, readonly: bool, text: bool) Error!void {
    const plugin = context.plugin orelse return error.BadArgument;
    const filter: ?*const anyopaque = if (context.filter) |own| own else null;
    for (plugin.prototypes.items) |known| {
        if (known.filter == filter and std.mem.eql(u8, known.name, name)) return error.BadArgument;
    }
    if (filter != null) by_streams = true;
    try plugin.prototypes.append(gpa, .{
        .name = try gpa.dupe(u8, name),
        .readonly = readonly,
        .text = text,
        .filter = filter,
    });
}

/// Streams have declared something.
pub var by_streams: bool = false;

/// What streams declared ends with them.
pub fn forget() void {
    by_streams = false;
    for (worker.plugins.items) |plugin| {
        var kept: usize = 0;
        for (plugin.prototypes.items) |known| {
            if (known.filter != null) {
                gpa.free(known.name);
                continue;
            }
            plugin.prototypes.items[kept] = known;
            kept += 1;
        }
        plugin.prototypes.shrinkRetainingCapacity(kept);
    }
}

const paths = [_][]const u8{
    "request\x00path",                     "request\x00url_path",       "request\x00query",
    "request\x00host",                     "request\x00scheme",         "request\x00method",
    "request\x00headers",                  "request\x00referer",        "request\x00useragent",
    "request\x00id",                       "request\x00protocol",       "request\x00time",
    "request\x00duration",                 "request\x00size",           "request\x00total_size",
    "response\x00code",                    "response\x00code_details",  "response\x00flags",
    "response\x00grpc_status",             "response\x00headers",       "response\x00trailers",
    "response\x00size",                    "response\x00total_size",    "response\x00backend_latency",
    "source\x00address",                   "source\x00port",            "destination\x00address",
    "destination\x00port",                 "connection\x00id",          "connection\x00mtls",
    "connection\x00requested_server_name", "connection_id",             "upstream\x00address",
    "upstream\x00port",                    "upstream\x00local_address", "upstream\x00transport_failure_reason",
    "upstream\x00request_attempt_count",   "xds\x00cluster_name",       "xds\x00route_name",
    "xds\x00virtual_host_name",            "xds\x00filter_chain_name",  "xds\x00listener_direction",
    "plugin_name",                         "plugin_root_id",            "plugin_vm_id",
};

/// All that an expression can name: a list of path and value, then one of filter state: its name, whether it
/// is text u8, its value. Owned by the caller.
pub fn everything(context: *Context) Error![]u8 {
    var out: std.ArrayList(u8) = .empty;
    errdefer out.deinit(gpa);
    var count: u32 = 0;
    try out.appendSlice(gpa, std.mem.asBytes(&count));
    for (paths) |path| {
        const value = property.get(context, path) catch |failure| switch (failure) {
            error.OutOfMemory => return failure,
            else => continue,
        };
        try putText(&out, path);
        try putText(&out, value);
        count += 1;
    }
    @memcpy(out.items[0..4], std.mem.asBytes(&count));
    const states = if (context.filter == null) &.{} else worker.stream.properties.items;
    const size: u32 = @intCast(states.len);
    try out.appendSlice(gpa, std.mem.asBytes(&size));
    for (states) |entry| {
        const own = std.mem.startsWith(u8, entry.name, "wasm.");
        const known = if (own) prototype(context.plugin.?, entry.name[5..]) else null;
        try putText(&out, entry.name);
        try out.append(gpa, @intFromBool(!own or (known != null and known.?.text)));
        try putText(&out, entry.value);
    }
    return out.toOwnedSlice(gpa);
}

fn putText(out: *std.ArrayList(u8), text: []const u8) Error!void {
    try out.appendSlice(gpa, std.mem.asBytes(&@as(u32, @intCast(text.len))));
    try out.appendSlice(gpa, text);
}
