//! The host functions that filters call most, for the plain case: short texts, and the headers that the callback is
//! about. Each says what the call answers, or `unanswered` while nobody can tell that it has begun: then the whole
//! function of that name in calls_headers.zig is called.

const abi = @import("abi.zig");
const headers = @import("headers.zig");
const worker = @import("worker.zig");

pub const unanswered: u32 = 0xffff_ffff;

/// Where a name lies while it is looked for.
var name_bytes: [16]u8 align(16) = undefined;

pub inline fn proxy_get_header_map_value(map: u32, key: u32, key_len: u32, ret: u32, ret_len: u32) u32 {
    if (map != worker.hand.map) return unanswered;
    const vm = worker.hand.vm;
    if (key_len -% 5 > 11 or key >= vm.reach or ret >= vm.reach or ret_len >= vm.reach) return unanswered;
    vm.bridge.copy_16(@intFromPtr(&name_bytes), key);
    headers.lowerShort(&name_bytes);
    const entry = worker.hand.headers.findShort(name_bytes[0..key_len]) orelse return unanswered;
    const value = entry.value;
    if (value.len == 0) return unanswered;
    const at = vm.allocate(value.len);
    if (at == 0 or !vm.covers(at, value.len)) return abi.status(error.InvalidMemoryAccess);
    vm.bridge.give(at, @intFromPtr(value.ptr), value.len, ret | @as(u64, ret_len) << 32);
    return 0;
}

pub inline fn proxy_add_header_map_value(map: u32, key: u32, key_len: u32, value: u32, value_len: u32) u32 {
    if (map != worker.hand.map) return unanswered;
    const vm = worker.hand.vm;
    if ((key_len | value_len) > 15 or key >= vm.reach or value >= vm.reach) return unanswered;
    const bytes = worker.arena.takeShort(32) orelse return unanswered;
    vm.bridge.copy_16_twice(@intFromPtr(bytes), key, value);
    headers.lowerShort(bytes[0..16]);
    return if (worker.hand.headers.addPlain(bytes[0..key_len], bytes[16..][0..value_len])) 0 else unanswered;
}
