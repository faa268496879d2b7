//! What filters can call that is no function of a protocol, or is refused to them.

const std = @import("std");
const link = @import("link.zig");
const log = @import("log.zig");
const trace = @import("trace.zig");
const worker = @import("worker.zig");

export fn pthread_equal(left: u32, right: u32) u32 {
    return @intFromBool(left == right);
}

export fn emscripten_notify_memory_growth(_: u32) void {}

/// Envoy logs and returns, so a filter that goes on after it usually hits `unreachable`.
export fn wasi_proc_exit(code: u32) void {
    worker.leaveGuest();
    if (trace.on) trace.hostCall(link.names.len, &.{code});
    log.warn("the filter called proc_exit({d}), which returns to it as in Envoy", .{code});
    if (trace.on) trace.result(0);
    worker.enterGuest();
}

/// A filter has called a function that its plugin may not use; see restriction.py.
export fn restricted(function: u32) void {
    const context = worker.context orelse return;
    worker.leaveGuest();
    if (trace.on) trace.hostCall(@intCast(function), &.{});
    const name = if (function < link.names.len) link.names[function] else "wasi_proc_exit";
    const wasi = std.mem.startsWith(u8, name, "wasi_");
    if (wasi) {
        log.print(.err, context.plugin_index, "Attempted call to restricted WASI capability: {s}", .{name[5..]});
    } else {
        log.print(.err, context.plugin_index, "Attempted call to restricted proxy-wasm capability: {s}", .{name});
    }
    if (trace.on) trace.result(if (wasi) 76 else 10);
    worker.enterGuest();
}
