//! A plugin: one configured filter with its root context in a VM.

const std = @import("std");
const vm_zig = @import("vm.zig");
const Context = vm_zig.Context;
const Vm = vm_zig.Vm;

/// What a stream meets when the plugin's VM has failed. `open` lets later streams pass.
pub const Policy = enum(u8) { closed, open, reload };

/// What a plugin has declared about a property that it will set.
pub const Prototype = struct { name: []const u8, readonly: bool, text: bool, filter: ?*const anyopaque = null };

pub const Plugin = struct {
    index: u32,
    name: []const u8,
    root_id: []const u8,
    configuration: []const u8,
    policy: Policy,
    allow_on_headers_stop_iteration: bool,
    body_limit: u32,
    root: Context,
    /// The plugin configuration can be read only while the plugin starts.
    configuring: bool = false,
    /// Nanoseconds, 0 for no timer; and when it next goes off on the time line of events.zig.
    tick_period: u64 = 0,
    tick_due: u64 = 0,
    /// What the last call that failed says about itself; the text is gone after its callback.
    status_code: u32 = 0,
    status_message: []const u8 = "",
    prototypes: std.ArrayList(Prototype) = .empty,

    pub fn vm(plugin: *const Plugin) *Vm {
        return plugin.root.vm;
    }

    /// `on_context_create` and `on_vm_start` of the root context; false where the filter refuses to start.
    pub fn start(plugin: *Plugin) bool {
        const root = &plugin.root;
        if (root.vm.has(.proxy_on_context_create)) {
            plugin.configuring = true;
            defer plugin.configuring = false;
            vm_zig.invoke(void, root, .proxy_on_context_create, .{@as(u32, 0)});
        }
        if (!root.vm.has(.proxy_on_vm_start)) return true;
        const size: u32 = @intCast(root.vm.configuration.len);
        return vm_zig.invoke(u32, root, .proxy_on_vm_start, .{size}) != 0;
    }

    /// `on_configure` of the root context; false where the filter refuses its configuration.
    pub fn configure(plugin: *Plugin) bool {
        if (!plugin.root.vm.has(.proxy_on_configure)) return true;
        plugin.configuring = true;
        defer plugin.configuring = false;
        const size: u32 = @intCast(plugin.configuration.len);
        return vm_zig.invoke(u32, &plugin.root, .proxy_on_configure, .{size}) != 0;
    }
};
