//! `envoy_resolve_dns`, Envoy's own addition to the ABI. There is no network here: numbers are their own
//! addresses, `localhost` is this machine, and nothing else is found.

const std = @import("std");
const abi = @import("abi.zig");
const events = @import("events.zig");
const gpa = @import("arena.zig").gpa;
const log = @import("log.zig");
const vm_zig = @import("vm.zig");
const current = @import("calls.zig").current;

const Error = abi.Error;

/// What is being told, readable as call data.
pub var told: []const u8 = "";
var kept: []u8 = &.{};

pub fn envoy_resolve_dns(name: u32, name_len: u32, ret_token: u32) Error!void {
    const context = try current();
    const vm = context.vm;
    const plugin = context.plugin orelse return error.BadArgument;
    const text = try vm.read(name, name_len);
    vm.names += 1;
    const token = vm.names + 1;
    try vm.store32(ret_token, token);
    // Envoy's resolver knows these at once and tells inside of the call; what the network says comes later.
    if (try known(text)) |addresses| return tellInside(&plugin.root, token, addresses);
    log.warn("there is no network in the embedded proxy: the name {s} is not found", .{text});
    try events.post(.{ .vm = vm, .root = plugin.root.id, .token = token, .addresses = try gpa.dupe(u8, "\x00\x00\x00\x00") });
}

/// The number of addresses, the seconds that each is good for, and the addresses with a port, each with a NUL.
fn known(name: []const u8) Error!?[]u8 {
    if (std.mem.eql(u8, name, "localhost")) return try one("::1"); // Envoy asks for IPv6 first
    return if (isNumber(name)) try one(name) else null;
}

fn one(address: []const u8) Error![]u8 {
    const v6 = std.mem.indexOfScalar(u8, address, ':') != null;
    return gpa.print("\x01\x00\x00\x00\x00\x00\x00\x00{s}{s}{s}:0\x00", .{
        if (v6) "[" else "", address, if (v6) "]" else "",
    });
}

fn isNumber(name: []const u8) bool {
    _ = std.Io.net.IpAddress.parse(name, 0) catch return false;
    return true;
}

/// Tell while a callback runs, which goes on afterwards.
fn tellInside(root: *vm_zig.Context, token: u32, addresses: []u8) void {
    const running = vm_zig.suspended();
    tell(root, token, addresses);
    vm_zig.goOn(running);
    // An answer that the callback has asked for does not stop it any more (`~DeferAfterCallActions`).
    if (running.caller) |caller| if (caller.filter) |filter| {
        filter.stop = false;
    };
}

pub fn tell(root: *vm_zig.Context, token: u32, addresses: []u8) void {
    gpa.free(kept);
    kept = addresses;
    const vm = root.vm;
    if (vm.failed or !vm.has(.envoy_on_resolve_dns)) return;
    told = addresses;
    vm_zig.invoke(void, root, .envoy_on_resolve_dns, .{ token, @as(u32, @intCast(addresses.len)) });
    told = "";
}
