//! What one instance of the host holds: VMs, plugins in the order of the chain, and the one stream that runs.

const std = @import("std");
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
    /// The driver wants the running callback to end: 1 when it says so, 2 when a host function has done it.
    stop: u32 = 0,
};

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
