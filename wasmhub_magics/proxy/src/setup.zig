//! How a driver makes VMs and the plugins in them, starts them, and puts them into the chain.

const exchange = @import("exchange.zig");
const gpa = @import("arena.zig").gpa;
const input = @import("input.zig");
const log = @import("log.zig");
const vm_zig = @import("vm.zig");
const worker = @import("worker.zig");
const Plugin = @import("plugin.zig").Plugin;

/// A new VM: version u8, table indices of the bridge and of each callback (0 absent), id, configuration, list
/// of environment variables.
export fn vm_new(length: usize) u32 {
    return vmNew(length) catch input.outOfMemory();
}

fn vmNew(length: usize) !u32 {
    var reader: exchange.Reader = .{ .bytes = try gpa.dupe(u8, input.bytes[0..length]) };
    const vm = try gpa.create(vm_zig.Vm);
    vm.* = .{
        .index = @intCast(worker.vms.items.len),
        .version = @fromBackingInt(@intCast(reader.number(u8))),
        .bridge = undefined,
        .callbacks = undefined,
        .id = undefined,
        .configuration = undefined,
        .environment = undefined,
    };
    inline for (@typeInfo(vm_zig.Bridge).@"struct".field_names) |name| {
        @field(vm.bridge, name) = @ptrFromInt(reader.number(u32));
    }
    for (&vm.callbacks) |*callback| callback.* = reader.number(u32);
    vm.id = reader.text();
    vm.configuration = reader.text();
    const environment = try gpa.alloc([]const u8, reader.number(u32));
    for (environment) |*variable| variable.* = reader.text();
    vm.environment = environment;
    vm.base = .{ .id = 0, .vm = vm };
    try worker.vms.append(gpa, vm);
    return vm.index;
}

/// Call the VM's start functions, in the order of proxy-wasm-cpp-host.
export fn vm_initialize(index: u32) void {
    worker.arena.reset();
    const vm = worker.vms.items[index];
    if (vm.has(._initialize)) {
        vm_zig.initialize(vm, ._initialize);
        if (vm.has(.main)) {
            vm_zig.initialize(vm, .main);
        } else if (vm.has(.__main_void)) {
            vm_zig.initialize(vm, .__main_void);
        }
    } else if (vm.has(._start)) {
        vm_zig.initialize(vm, ._start);
    }
}

/// A new plugin: VM u32, policy u8, allow_on_headers_stop_iteration u8, body limit u32, log limit u32, name,
/// root id, configuration.
export fn plugin_new(length: usize) u32 {
    return pluginNew(length) catch input.outOfMemory();
}

fn pluginNew(length: usize) !u32 {
    var reader: exchange.Reader = .{ .bytes = try gpa.dupe(u8, input.bytes[0..length]) };
    const plugin = try gpa.create(Plugin);
    const vm = worker.vms.items[reader.number(u32)];
    plugin.* = .{
        .index = @intCast(worker.plugins.items.len),
        .policy = @fromBackingInt(@intCast(reader.number(u8))),
        .allow_on_headers_stop_iteration = reader.number(u8) != 0,
        .body_limit = reader.number(u32),
        .name = undefined,
        .root_id = undefined,
        .configuration = undefined,
        .root = .{ .id = vm.takeContextId(), .vm = vm },
    };
    log.limit = reader.number(u32);
    plugin.name = reader.text();
    plugin.root_id = reader.text();
    plugin.configuration = reader.text();
    plugin.root.plugin = plugin;
    plugin.root.plugin_index = plugin.index;
    try worker.plugins.append(gpa, plugin);
    return plugin.index;
}

/// Move a plugin to another VM, as after a failure with the policy to reload.
export fn plugin_move(index: u32, vm_index: u32) void {
    const vm = worker.vms.items[vm_index];
    const plugin = worker.plugins.items[index];
    plugin.root.vm = vm;
    plugin.root.id = vm.takeContextId();
    plugin.tick_period = 0;
}

/// 1 where the plugin has started.
export fn plugin_start(index: u32) u32 {
    worker.arena.reset();
    return @intFromBool(worker.plugins.items[index].start());
}

/// 1 where the plugin has taken its configuration.
export fn plugin_configure(index: u32) u32 {
    worker.arena.reset();
    return @intFromBool(worker.plugins.items[index].configure());
}

/// The next filter of the chain is this plugin.
export fn chain(index: u32) void {
    worker.chain.append(gpa, worker.plugins.items[index]) catch input.outOfMemory();
}

/// Note that what start-up called has trapped.
export fn start_trapped() void {
    worker.stream.trapped();
}
