//! What one instance of the host holds: VMs, plugins in the order of the chain, and the one stream that runs.

const std = @import("std");
const headers = @import("headers.zig");
const Arena = @import("arena.zig").Arena;
const Plugin = @import("plugin.zig").Plugin;
const Stream = @import("stream.zig").Stream;
const vm_zig = @import("vm.zig");

/// Memory that the driver watches and reads, also from another thread and after a trap.
pub const Mailbox = extern struct {
    /// Counts callbacks: it stands still while one callback runs.
    progress: u32 = 0,
    /// The VM, plugin and callback that ran last, and whether it still runs.
    vm: u32 = 0,
    plugin: u32 = 0,
    callback: u32 = 0,
    running: u32 = 0,
    output: u32 = 0,
    output_length: u32 = 0,
    /// What a failed assertion of the host says; its length is 0 where all is well.
    panic: u32 = 0,
    panic_length: u32 = 0,
    /// 1 where the VM of some plugin has failed.
    failed: u32 = 0,
    /// Not 0 where the host is to look up when it hands over to a filter or takes over: `stop_now` where the filter
    /// is to end, `stopped` where it has been, `metered` where there is a `meter`.
    stop: u32 = 0,
    /// 1 while code of a filter runs, 0 while the host's does: only a filter may be stopped wherever it is.
    guest: u32 = 0,
};

const stop_now = 1;
const stopped = 2;
pub const metered = 4;

pub var mailbox: Mailbox = .{};
pub var arena: Arena = .{};
/// Lives as long as the instance: names, configurations.
pub var vms: std.ArrayList(*vm_zig.Vm) = .empty;
pub var plugins: std.ArrayList(*Plugin) = .empty;
/// The filter chain: plugins in the order of requests. A plugin can stand in it twice.
pub var chain: std.ArrayList(*Plugin) = .empty;
pub var stream: Stream = .{};

/// The context that made the running callback, and the one it acts for (`set_effective_context`).
pub var caller: ?*vm_zig.Context = null;
pub var context: ?*vm_zig.Context = null;

/// The headers that the running callback is about, by their number in the ABI, where host functions may take the
/// short way to them: nobody keeps a trace, and the callback acts for its own context.
pub const Hand = struct {
    map: u32 = none,
    headers: *headers.Map = undefined,
    vm: *vm_zig.Vm = undefined,

    pub const none: u32 = 0xffff_ffff;
};

pub var hand: Hand = .{};

/// A function of the driver that is told whether a filter's code runs from now on or the host's, and says
/// whether what filters may use up is used up.
pub var meter: ?*const fn (guest: u32) callconv(.c) u32 = null;

/// A filter's code runs from now on, unless it is to end: what the host works on is whole here.
pub inline fn enterGuest() void {
    if (mailbox.stop != 0) {
        @branchHint(.unlikely);
        look(1);
    }
    mailbox.guest = 1;
}

/// The host's code runs from now on, unless the filter is to end.
pub inline fn leaveGuest() void {
    if (mailbox.stop != 0) {
        @branchHint(.unlikely);
        look(0);
    }
    mailbox.guest = 0;
}

noinline fn look(guest: u32) void {
    @branchHint(.cold);
    if (meter) |tell| mailbox.stop |= tell(guest);
    if (mailbox.stop & stop_now == 0) return;
    mailbox.stop |= stopped;
    @trap();
}
