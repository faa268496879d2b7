//! A virtual machine of a filter: its memory seen through a bridge, its callbacks, and what runs in it.

const std = @import("std");
const abi = @import("abi.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");
const metrics = @import("metrics.zig");
const trace = @import("trace.zig");
const tcp = @import("tcp.zig");
const worker = @import("worker.zig");
const Filter = @import("stream.zig").Filter;
const Plugin = @import("plugin.zig").Plugin;

const Callback = abi.Callback;
const Error = abi.Error;

/// Functions of the tiny module that reaches both memories; none of them checks a range.
pub const Bridge = struct {
    copy_in: *const fn (to: usize, from: u32, length: u32) callconv(.c) void,
    copy_16: *const fn (to: usize, from: u32) callconv(.c) void,
    copy_16_twice: *const fn (to: usize, first: u32, second: u32) callconv(.c) void,
    copy_out: *const fn (to: u32, from: usize, length: u32) callconv(.c) void,
    give: *const fn (to: u32, from: usize, length: u32, returned: u64) callconv(.c) void,
    load32: *const fn (at: u32) callconv(.c) u32,
    store32: *const fn (at: u32, value: u32) callconv(.c) void,
    store64: *const fn (at: u32, value: u64) callconv(.c) void,
    pages: *const fn () callconv(.c) u32,

    pub const count = @typeInfo(Bridge).@"struct".field_names.len;
};

/// What a filter calls a context: the VM itself (0), a root context, or the context of a stream.
pub const Context = struct {
    id: u32,
    vm: *Vm,
    plugin: ?*Plugin = null,
    filter: ?*Filter = null,
    /// Of a TCP connection.
    connection: ?*tcp.Filter = null,
    plugin_index: u32 = log.no_plugin,
};

pub const Vm = struct {
    index: u32,
    version: abi.Version,
    bridge: Bridge,
    callbacks: [abi.callback_count]u32,
    id: []const u8,
    configuration: []const u8,
    /// `K=V` each, without the final NUL.
    environment: []const []const u8,
    failed: bool = false,
    next_context: u32 = 1,
    /// Counters, gauges and histograms that the filter has defined, in order.
    metrics: [3]std.ArrayList(*metrics.Metric) = @splat(.empty),
    /// Call-outs made so far.
    calls: u32 = 0,
    grpc_calls: u32 = 0,
    grpc_streams: u32 = 0,
    /// Names resolved so far.
    names: u32 = 0,
    base: Context = undefined,
    /// Bytes of the filter's memory when they were last asked for; a memory never shrinks.
    size: u64 = 0,
    /// Before this address 16 bytes can be taken in one go.
    reach: u32 = 0,

    pub fn has(vm: *const Vm, comptime callback: Callback) bool {
        return vm.callbacks[@backingInt(callback)] != 0;
    }

    pub fn takeContextId(vm: *Vm) u32 {
        defer vm.next_context += 1;
        return vm.next_context;
    }

    /// The context of that number which is alive now.
    pub fn find(vm: *Vm, id: u32) ?*Context {
        if (worker.stream.context(vm, id)) |found| return found;
        if (tcp.find(vm, id)) |found| return found;
        for (worker.plugins.items) |plugin| {
            if (plugin.root.vm == vm and plugin.root.id == id) return &plugin.root;
        }
        return null;
    }

    // Memory of the filter. Every range comes from the filter, so every range is checked.

    inline fn check(vm: *Vm, at: u32, length: u32) Error!void {
        if (@as(u64, at) + length <= vm.size) {
            @branchHint(.likely);
            return;
        }
        return vm.checkAgain(at, length);
    }

    pub inline fn covers(vm: *Vm, at: u32, length: u32) bool {
        return if (vm.check(at, length)) true else |_| false;
    }

    noinline fn checkAgain(vm: *Vm, at: u32, length: u32) Error!void {
        vm.size = @as(u64, vm.bridge.pages()) << 16;
        vm.reach = @intCast(vm.size -| 15);
        if (@as(u64, at) + length > vm.size) return error.InvalidMemoryAccess;
    }

    /// A copy of some of the filter's memory, which lives as long as the exchange.
    pub fn read(vm: *Vm, at: u32, length: u32) Error![]u8 {
        try vm.check(at, length);
        const bytes = try worker.arena.take(length);
        if (length > 0) vm.bridge.copy_in(@intFromPtr(bytes.ptr), at, length);
        if (trace.on) trace.taken(bytes);
        return bytes;
    }

    /// Copies of a header's name and value, as `read` makes them; the name in lower case.
    pub inline fn readHeader(vm: *Vm, name: u32, name_len: u32, value: u32, value_len: u32) Error!headers.Entry {
        if (!vm.short(name, name_len) or !vm.short(value, value_len)) {
            @branchHint(.unlikely);
            return vm.readLong(name, name_len, value, value_len);
        }
        const bytes = try worker.arena.take(32);
        vm.bridge.copy_16_twice(@intFromPtr(bytes.ptr), name, value);
        headers.lowerShort(bytes[0..16]);
        if (trace.on) {
            @branchHint(.unlikely);
            trace.taken(bytes[0..name_len]);
            trace.taken(bytes[16..][0..value_len]);
        }
        return .{ .name = bytes[0..name_len], .value = bytes[16..][0..value_len] };
    }

    /// A header's name, in lower case.
    pub inline fn readName(vm: *Vm, name: u32, name_len: u32) Error![]const u8 {
        if (!vm.short(name, name_len)) {
            const long = try vm.read(name, name_len);
            headers.lower(long);
            return long;
        }
        const bytes = try worker.arena.take(16);
        vm.bridge.copy_16(@intFromPtr(bytes.ptr), name);
        headers.lowerShort(bytes[0..16]);
        if (trace.on) {
            @branchHint(.unlikely);
            trace.taken(bytes[0..name_len]);
        }
        return bytes[0..name_len];
    }

    /// Whether 16 bytes can be taken in one go, of which the first are what is wanted.
    inline fn short(vm: *const Vm, at: u32, length: u32) bool {
        return length <= 16 and at < vm.reach;
    }

    noinline fn readLong(vm: *Vm, name: u32, name_len: u32, value: u32, value_len: u32) Error!headers.Entry {
        const long_name = try vm.read(name, name_len);
        const long_value = try vm.read(value, value_len);
        headers.lower(long_name);
        return .{ .name = long_name, .value = long_value };
    }

    pub fn write(vm: *Vm, at: u32, bytes: []const u8) Error!void {
        try vm.check(at, @intCast(bytes.len));
        if (bytes.len > 0) vm.bridge.copy_out(at, @intFromPtr(bytes.ptr), @intCast(bytes.len));
    }

    pub fn load32(vm: *Vm, at: u32) Error!u32 {
        try vm.check(at, 4);
        return vm.bridge.load32(at);
    }

    pub fn store32(vm: *Vm, at: u32, value: u32) Error!void {
        try vm.check(at, 4);
        vm.bridge.store32(at, value);
    }

    pub fn store64(vm: *Vm, at: u32, value: u64) Error!void {
        try vm.check(at, 8);
        vm.bridge.store64(at, value);
    }

    /// Copy bytes into memory that the filter's own allocator gives, and tell the filter where they are.
    pub inline fn give(vm: *Vm, bytes: []const u8, ret_pointer: u32, ret_length: u32) Error!void {
        return vm.giveTo(bytes, ret_pointer | @as(u64, ret_length) << 32);
    }

    /// Both addresses in one number: more parameters than that go through the stack, in two parts.
    noinline fn giveTo(vm: *Vm, bytes: []const u8, returned: u64) Error!void {
        if (trace.on) trace.given(bytes);
        const length: u32 = @intCast(bytes.len);
        var at: u32 = 0;
        if (length > 0) {
            at = vm.allocate(length);
            if (at == 0) return error.InvalidMemoryAccess;
            try vm.check(at, length);
        }
        try vm.check(@truncate(returned), 4);
        try vm.check(@intCast(returned >> 32), 4);
        vm.bridge.give(at, @intFromPtr(bytes.ptr), length, returned);
    }

    /// Memory from the filter's own allocator; 0 where there is none.
    pub inline fn allocate(vm: *Vm, length: u32) u32 {
        const index = vm.callbacks[@backingInt(Callback.malloc)];
        if (index == 0) return 0;
        worker.enterGuest();
        const at = @as(*const fn (u32) callconv(.c) u32, @ptrFromInt(index))(length);
        worker.leaveGuest();
        return at;
    }
};

/// Call a callback of a context's VM with the context's number and more arguments. The VM must have it.
/// After a trap this never returns; the driver resumes the stream, which finds its progress in memory.
pub fn invoke(comptime Result: type, context: *Context, comptime callback: Callback, arguments: anytype) Result {
    return invokeInline(Result, context, callback, arguments);
}

/// As `invoke`, where most calls are made.
pub inline fn invokeInline(comptime Result: type, context: *Context, comptime callback: Callback, arguments: anytype) Result {
    const vm = context.vm;
    enter(context, callback);
    if (trace.on) {
        @branchHint(.unlikely);
        traceCallback(callback, context, arguments.len, nth(arguments, 0), nth(arguments, 1), nth(arguments, 2), nth(arguments, 3));
    }
    worker.enterGuest();
    const index = vm.callbacks[@backingInt(callback)];
    const result = switch (arguments.len) {
        0 => function(fn (u32) callconv(.c) Result, index)(context.id),
        1 => function(fn (u32, u32) callconv(.c) Result, index)(context.id, arguments[0]),
        2 => function(fn (u32, u32, u32) callconv(.c) Result, index)(context.id, arguments[0], arguments[1]),
        4 => function(fn (u32, u32, u32, u32, u32) callconv(.c) Result, index)(
            context.id,
            arguments[0],
            arguments[1],
            arguments[2],
            arguments[3],
        ),
        else => comptime unreachable,
    };
    worker.leaveGuest();
    if (trace.on) {
        @branchHint(.unlikely);
        trace.returned(if (Result == void) null else result);
    }
    leave(callback);
    return result;
}

inline fn nth(arguments: anytype, comptime place: usize) u32 {
    return if (place < arguments.len) arguments[place] else 0;
}

noinline fn traceCallback(callback: Callback, context: *const Context, count: usize, a: u32, b: u32, c: u32, d: u32) void {
    @branchHint(.cold);
    const list: [4]u32 = .{ a, b, c, d };
    trace.callback(@backingInt(callback), context.plugin_index, context.id, list[0..count]);
}

/// Call a start function, which knows no context.
pub fn initialize(vm: *Vm, comptime callback: Callback) void {
    enter(&vm.base, callback);
    if (trace.on) trace.callback(@backingInt(callback), log.no_plugin, 0, &.{});
    worker.enterGuest();
    const index = vm.callbacks[@backingInt(callback)];
    switch (callback) {
        ._initialize, ._start => function(fn () callconv(.c) void, index)(),
        .main => _ = function(fn (u32, u32) callconv(.c) u32, index)(0, 0),
        .__main_void => _ = function(fn () callconv(.c) u32, index)(),
        else => comptime unreachable,
    }
    worker.leaveGuest();
    if (trace.on) trace.returned(null);
    leave(callback);
}

/// What runs while another callback is called inside of a host call.
const Running = struct {
    context: ?*Context,
    caller: ?*Context,
    callback: @TypeOf(worker.mailbox.callback),
    plugin: @TypeOf(worker.mailbox.plugin),
};

pub fn suspended() Running {
    worker.hand.map = worker.Hand.none;
    return .{
        .context = worker.context,
        .caller = worker.caller,
        .callback = worker.mailbox.callback,
        .plugin = worker.mailbox.plugin,
    };
}

pub fn goOn(running: Running) void {
    worker.context = running.context;
    worker.caller = running.caller;
    worker.mailbox.callback = running.callback;
    worker.mailbox.plugin = running.plugin;
    worker.mailbox.running = 1;
}

inline fn function(comptime Type: type, index: u32) *const Type {
    return @ptrFromInt(index);
}

inline fn enter(context: *Context, comptime callback: Callback) void {
    const stream = &worker.stream;
    if (callback == .proxy_on_request_headers and !trace.on) {
        worker.hand = .{ .map = 0, .headers = &stream.request.headers, .vm = context.vm };
    } else if (callback == .proxy_on_response_headers and !trace.on and !stream.direct) {
        worker.hand = .{ .map = 2, .headers = &stream.response.headers, .vm = context.vm };
    }
    worker.context = context;
    worker.caller = context;
    worker.mailbox.progress +%= 1;
    worker.mailbox.vm = context.vm.index;
    worker.mailbox.callback = @backingInt(callback);
    worker.mailbox.plugin = context.plugin_index;
    worker.mailbox.running = 1;
}

inline fn leave(comptime callback: Callback) void {
    switch (callback) {
        .proxy_on_request_headers, .proxy_on_response_headers => worker.hand.map = worker.Hand.none,
        else => {},
    }
    worker.mailbox.running = 0;
    worker.context = null;
    worker.caller = null;
}
