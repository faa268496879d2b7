//! Proxy-Wasm filters in Zig: what `@import("proxy_wasm")` gives.
//!
//! A filter declares the callbacks it wants as `pub fn`, such as
//!
//!     pub fn onRequestHeaders(stream: pw.Stream) !void {
//!         try stream.request.headers.set("x-hello", "Zig");
//!     }
//!
//! Memory: what the functions here return is in `arena` and gone when the callback ends. What shall last longer is
//! copied into memory of `allocator`. An error that a callback returns is logged and ends the filter.

const std = @import("std");
const Allocator = std.mem.Allocator;

/// The host functions and numbers of the ABI as they are.
pub const abi = @import("abi.zig");

pub const Error = abi.Error || Allocator.Error;
pub const Direction = abi.Direction;
pub const Peer = abi.Peer;
pub const Level = abi.Level;
/// A name and a value.
pub const Header = std.http.Header;

// --- memory ----------------------------------------------------------------------------------------------------

/// Memory that lasts until it is freed.
pub const allocator = std.heap.wasm_allocator;

/// Memory that lasts until the end of the callback.
pub const arena: Allocator = .{ .ptr = undefined, .vtable = &.{
    .alloc = Arena.alloc,
    .resize = Allocator.noResize,
    .remap = Allocator.noRemap,
    .free = Allocator.noFree,
} };

/// Blocks that are filled from their start; the first is kept for the next callback.
const Arena = struct {
    const Block = struct { next: ?*Block, size: usize };
    const first_size = 16 << 10;

    var newest: ?*Block = null;
    var used: usize = 0;
    var depth: u32 = 0;

    fn alloc(_: *anyopaque, size: usize, alignment: std.mem.Alignment, _: usize) ?[*]u8 {
        if (newest) |block| {
            const start = alignment.forward(@intFromPtr(block) + used);
            const end = start +| size;
            if (end <= @intFromPtr(block) + block.size) {
                used = end - @intFromPtr(block);
                return @ptrFromInt(start);
            }
        }
        const whole = @max(first_size, size +| (@sizeOf(Block) + alignment.toByteUnits()));
        const bytes = allocator.rawAlloc(whole, .of(Block), 0) orelse return null;
        const block: *Block = @ptrCast(@alignCast(bytes));
        block.* = .{ .next = newest, .size = whole };
        newest = block;
        const start = alignment.forward(@intFromPtr(bytes) + @sizeOf(Block));
        used = start + size - @intFromPtr(bytes);
        return @ptrFromInt(start);
    }

    fn reset() void {
        while (newest) |block| {
            if (block.next == null and block.size == first_size) break;
            newest = block.next;
            allocator.rawFree(@as([*]u8, @ptrCast(block))[0..block.size], .of(Block), 0);
        }
        used = @sizeOf(Block);
    }
};

/// Begin a callback; the proxy can call one inside another. Callbacks that are `pub fn` have this done for them.
pub fn enter() void {
    Arena.depth += 1;
}

/// End a callback: give back what `arena` holds. An `export fn` that uses this file does `defer pw.leave();`
pub fn leave() void {
    Arena.depth -|= 1;
    if (Arena.depth == 0) Arena.reset();
}

/// Where the host puts what it hands over.
pub fn allocateForHost(size: usize) callconv(.c) ?[*]u8 {
    return arena.rawAlloc(size, .@"8", 0);
}

// --- what callbacks return -------------------------------------------------------------------------------------

/// What becomes of the message; a callback that returns nothing lets it go on.
pub const Action = enum {
    /// It goes on.
    proceed,
    /// It waits for `proceed` of the request or response; a body is collected meanwhile.
    pause,
    /// It waits, and the body is collected; beyond the proxy's limit the request fails.
    buffer,
    /// It waits, and the sender is slowed down when much has been collected.
    watermark,
    /// (Body only) it waits, and this piece of it is dropped.
    no_buffer,
};

// --- messages --------------------------------------------------------------------------------------------------

/// A request and its response.
pub const Stream = struct {
    id: u32,
    /// Whether this is the last piece of the message.
    end_of_stream: bool = false,
    request: Message = .request,
    response: Message = .response,

    pub const Response = struct {
        headers: []const Header = &.{},
        body: []const u8 = "",
        details: []const u8 = "",
        grpc_status: ?u31 = null,
    };

    /// Answer the client; the upstream is not asked. The result is what the callback shall return.
    pub fn respond(_: Stream, status: u16, response: Response) Error!Action {
        const pairs = try encodePairs(response.headers);
        const grpc: i32 = if (response.grpc_status) |code| code else -1;
        const details, const body = .{ response.details, response.body };
        try abi.check(abi.proxy_send_local_response(status, details.ptr, details.len, body.ptr, body.len, pairs.ptr, pairs.len, grpc));
        return .pause;
    }

    /// Act for this stream until the callback ends: in the answer to a call-out that it has made.
    pub fn activate(stream: Stream) Error!void {
        try abi.check(abi.proxy_set_effective_context(stream.id));
    }

    /// Reset the stream: the client gets no answer.
    pub fn close(_: Stream) Error!void {
        try abi.check(abi.proxy_close_stream(.request));
    }
};

/// One side of a stream.
pub const Message = struct {
    headers: Headers,
    trailers: Headers,
    body: Body,
    direction: Direction,

    pub const request: Message = .{
        .headers = .{ .map = .request_headers },
        .trailers = .{ .map = .request_trailers },
        .body = .{ .buffer = .request_body },
        .direction = .request,
    };
    pub const response: Message = .{
        .headers = .{ .map = .response_headers },
        .trailers = .{ .map = .response_trailers },
        .body = .{ .buffer = .response_body },
        .direction = .response,
    };

    /// Let a message go on that a callback has paused.
    pub fn proceed(message: Message) Error!void {
        try abi.check(abi.proxy_continue_stream(message.direction));
    }
};

/// Headers, trailers or metadata. Names are case-insensitive, and come in lower case.
pub const Headers = struct {
    map: abi.Map,

    /// The first value of that name.
    pub fn get(headers: Headers, name: []const u8) Error!?[]const u8 {
        var out: abi.Given = .{};
        const status = abi.proxy_get_header_map_value(headers.map, name.ptr, name.len, &out.at, &out.length);
        return present(status, out);
    }

    /// All values of that name.
    pub fn getAll(headers: Headers, name: []const u8) Error![]const []const u8 {
        var found: std.ArrayList([]const u8) = .empty;
        var entries = try headers.iterator();
        while (entries.next()) |header| {
            if (std.ascii.eqlIgnoreCase(header.name, name)) try found.append(arena, header.value);
        }
        return found.items;
    }

    pub fn contains(headers: Headers, name: []const u8) Error!bool {
        return try headers.get(name) != null;
    }

    /// Put one entry in the place of all of that name.
    pub fn set(headers: Headers, name: []const u8, value: []const u8) Error!void {
        try abi.check(abi.proxy_replace_header_map_value(headers.map, name.ptr, name.len, value.ptr, value.len));
    }

    /// `set` with a formatted value.
    pub fn print(headers: Headers, name: []const u8, comptime format: []const u8, args: anytype) Error!void {
        try headers.set(name, try std.fmt.allocPrint(arena, format, args));
    }

    /// Add one more entry.
    pub fn add(headers: Headers, name: []const u8, value: []const u8) Error!void {
        try abi.check(abi.proxy_add_header_map_value(headers.map, name.ptr, name.len, value.ptr, value.len));
    }

    /// Remove all entries of that name; none is fine.
    pub fn remove(headers: Headers, name: []const u8) Error!void {
        try abi.check(abi.proxy_remove_header_map_value(headers.map, name.ptr, name.len));
    }

    /// Put these in the place of all.
    pub fn replaceAll(headers: Headers, entries: []const Header) Error!void {
        const pairs = try encodePairs(entries);
        try abi.check(abi.proxy_set_header_map_pairs(headers.map, pairs.ptr, pairs.len));
    }

    /// All entries as they are now; changes do not disturb it.
    pub fn iterator(headers: Headers) Error!Iterator {
        var out: abi.Given = .{};
        try abi.check(abi.proxy_get_header_map_pairs(headers.map, &out.at, &out.length));
        return .init(out.bytes());
    }

    pub const Iterator = struct {
        pairs: []const u8,
        count: usize,
        index: usize = 0,
        offset: usize,

        /// Walk through serialised pairs: their count, then the lengths, then the bytes, each with a NUL.
        pub fn init(pairs: []const u8) Iterator {
            const count = if (pairs.len < 4) 0 else std.mem.readInt(u32, pairs[0..4], .little);
            return .{ .pairs = pairs, .count = count, .offset = 4 + 8 * count };
        }

        pub fn next(it: *Iterator) ?Header {
            if (it.index >= it.count) return null;
            const sizes = it.pairs[4 + 8 * it.index ..][0..8];
            it.index += 1;
            const name = it.take(std.mem.readInt(u32, sizes[0..4], .little));
            return .{ .name = name, .value = it.take(std.mem.readInt(u32, sizes[4..8], .little)) };
        }

        fn take(it: *Iterator, size: usize) []const u8 {
            defer it.offset += size + 1;
            return it.pairs[it.offset..][0..size];
        }
    };
};

/// Headers in the form in which host functions take them.
pub fn encodePairs(headers: []const Header) Allocator.Error![]const u8 {
    var out: std.ArrayList(u8) = .empty;
    try appendLength(&out, headers.len);
    for (headers) |header| {
        try appendLength(&out, header.name.len);
        try appendLength(&out, header.value.len);
    }
    for (headers) |header| {
        for ([_][]const u8{ header.name, header.value }) |text| {
            try out.appendSlice(arena, text);
            try out.append(arena, 0);
        }
    }
    return out.items;
}

fn appendLength(out: *std.ArrayList(u8), length: usize) Allocator.Error!void {
    var bytes: [4]u8 = undefined;
    std.mem.writeInt(u32, &bytes, @intCast(length), .little);
    try out.appendSlice(arena, &bytes);
}

/// A body, or data of a connection. Remove `content-length` in the headers callback before you change one.
pub const Body = struct {
    buffer: abi.Buffer,

    /// What is at hand: this piece, or after a pause all so far.
    pub fn get(body: Body) Error![]u8 {
        return body.slice(0, std.math.maxInt(i32));
    }

    /// At most that many bytes from there.
    pub fn slice(body: Body, start: usize, most: usize) Error![]u8 {
        var out: abi.Given = .{};
        const status = abi.proxy_get_buffer_bytes(body.buffer, start, most, &out.at, &out.length);
        return (try present(status, out)) orelse &.{};
    }

    /// Put these bytes in its place.
    pub fn set(body: Body, bytes: []const u8) Error!void {
        try body.write(0, std.math.maxInt(i32), bytes);
    }

    /// `set` with formatted text.
    pub fn print(body: Body, comptime format: []const u8, args: anytype) Error!void {
        try body.set(try std.fmt.allocPrint(arena, format, args));
    }

    pub fn append(body: Body, bytes: []const u8) Error!void {
        try body.write(std.math.maxInt(i32), 0, bytes);
    }

    pub fn prepend(body: Body, bytes: []const u8) Error!void {
        try body.write(0, 0, bytes);
    }

    fn write(body: Body, start: usize, size: usize, bytes: []const u8) Error!void {
        try abi.check(abi.proxy_set_buffer_bytes(body.buffer, start, size, bytes.ptr, bytes.len));
    }
};

fn present(status: u32, out: abi.Given) Error!?[]u8 {
    abi.check(status) catch |err| return if (err == error.NotFound) null else err;
    return out.bytes();
}

// --- the plugin ------------------------------------------------------------------------------------------------

/// The plugin itself, which streams belong to.
pub const Plugin = struct {
    id: u32,

    /// The plugin's configuration, in `onConfigure`.
    pub fn configuration(_: Plugin) Error![]const u8 {
        return (Body{ .buffer = .plugin_configuration }).get();
    }

    /// The configuration of the virtual machine, in `onVmStart`.
    pub fn vmConfiguration(_: Plugin) Error![]const u8 {
        return (Body{ .buffer = .vm_configuration }).get();
    }

    /// The configuration as JSON, read into a type: it lasts. Keys that the type does not have are left out.
    pub fn parse(plugin: Plugin, comptime T: type) !T {
        const text = try plugin.configuration();
        return std.json.parseFromSliceLeaky(T, allocator, if (text.len == 0) "{}" else text, .{
            .ignore_unknown_fields = true,
            .allocate = .alloc_always,
        });
    }

    /// Have `onTick` called again and again; 0 stops it.
    pub fn setTickPeriod(_: Plugin, milliseconds: u32) Error!void {
        try abi.check(abi.proxy_set_tick_period_milliseconds(milliseconds));
    }

    /// End a plugin whose `onPluginDone` has returned false.
    pub fn done(_: Plugin) Error!void {
        try abi.check(abi.proxy_done());
    }
};

/// A value for each stream, made when it is first asked for and gone with its stream:
///
///     var started: pw.PerStream(Timer) = .init(.{});
///     const timer = try started.of(stream);
pub fn PerStream(comptime T: type) type {
    return struct {
        initial: T,
        values: std.AutoHashMapUnmanaged(u32, *T) = .empty,
        forgetting: Forgetting = .{ .forget = forget },
        known: bool = false,

        const Self = @This();

        pub fn init(initial: T) Self {
            return .{ .initial = initial };
        }

        /// The stream's own value.
        pub fn of(self: *Self, stream: Stream) Allocator.Error!*T {
            if (!self.known) {
                self.forgetting.next = forgettings;
                forgettings = &self.forgetting;
                self.known = true;
            }
            const entry = try self.values.getOrPut(allocator, stream.id);
            if (!entry.found_existing) {
                errdefer _ = self.values.remove(stream.id);
                entry.value_ptr.* = try allocator.create(T);
                entry.value_ptr.*.* = self.initial;
            }
            return entry.value_ptr.*;
        }

        fn forget(forgetting: *Forgetting, id: u32) void {
            const self: *Self = @alignCast(@fieldParentPtr("forgetting", forgetting));
            if (self.values.fetchRemove(id)) |entry| allocator.destroy(entry.value);
        }
    };
}

const Forgetting = struct { forget: *const fn (*Forgetting, u32) void, next: ?*Forgetting = null };
var forgettings: ?*Forgetting = null;

/// Drop what is kept for a stream. Done for you, unless the filter has `export fn proxy_on_delete`.
pub fn forgetStream(id: u32) void {
    var at = forgettings;
    while (at) |each| : (at = each.next) each.forget(each, id);
}

// --- properties ------------------------------------------------------------------------------------------------

/// A property by its path with dots, such as "source.address"; numbers are in their binary form.
pub fn property(path: []const u8) Error!?[]const u8 {
    const segments = try arena.dupe(u8, path);
    std.mem.replaceScalar(u8, segments, '.', 0);
    return propertyAt(segments);
}

/// A property by the parts of its path, for those with dots in them.
pub fn propertyOf(parts: []const []const u8) Error!?[]const u8 {
    return propertyAt(try std.mem.join(arena, "\x00", parts));
}

fn propertyAt(segments: []const u8) Error!?[]const u8 {
    var out: abi.Given = .{};
    return present(abi.proxy_get_property(segments.ptr, segments.len, &out.at, &out.length), out);
}

/// A property that is a number, such as "response.code".
pub fn number(path: []const u8) Error!?i64 {
    const bytes = try property(path) orelse return null;
    return if (bytes.len == 8) std.mem.readInt(i64, bytes[0..8], .little) else error.ResultMismatch;
}

/// Keep a value with the stream, for filters after this one and the access log.
pub fn setProperty(name: []const u8, value: []const u8) Error!void {
    try abi.check(abi.proxy_set_property(name.ptr, name.len, value.ptr, value.len));
}

// --- call-outs -------------------------------------------------------------------------------------------------

pub const Call = struct {
    headers: []const Header,
    body: []const u8 = "",
    trailers: []const Header = &.{},
    timeout_ms: u32 = 1000,
};

/// Call out over a cluster; headers need :method, :path and :authority. The answer comes to
/// `onHttpCallResponse` with this token.
pub fn httpCall(cluster: []const u8, call: Call) Error!u32 {
    const headers = try encodePairs(call.headers);
    const trailers = try encodePairs(call.trailers);
    var token: u32 = 0;
    try abi.check(abi.proxy_http_call(cluster.ptr, cluster.len, headers.ptr, headers.len, call.body.ptr, call.body.len, trailers.ptr, trailers.len, call.timeout_ms, &token));
    return token;
}

/// The answer to a call-out; without headers it has failed.
pub const CallResponse = struct {
    token: u32,
    header_count: u32,
    headers: Headers = .{ .map = .call_headers },
    trailers: Headers = .{ .map = .call_trailers },
    body: Body = .{ .buffer = .call_body },
};

pub const GrpcMethod = struct { service: []const u8, name: []const u8, metadata: []const Header = &.{} };

/// Call a gRPC method once; the answer comes to `onGrpcMessage` and `onGrpcClose` with this token.
pub fn grpcCall(cluster: []const u8, method: GrpcMethod, message: []const u8, timeout_ms: u32) Error!u32 {
    const metadata = try encodePairs(method.metadata);
    var token: u32 = 0;
    try abi.check(abi.proxy_grpc_call(cluster.ptr, cluster.len, method.service.ptr, method.service.len, method.name.ptr, method.name.len, metadata.ptr, metadata.len, message.ptr, message.len, timeout_ms, &token));
    return token;
}

/// A gRPC call or stream by its token.
pub const Grpc = struct {
    token: u32,
    message: Body = .{ .buffer = .grpc_message },
    initial_metadata: Headers = .{ .map = .grpc_initial_metadata },
    trailing_metadata: Headers = .{ .map = .grpc_trailing_metadata },

    pub fn open(cluster: []const u8, method: GrpcMethod) Error!Grpc {
        const metadata = try encodePairs(method.metadata);
        var token: u32 = 0;
        try abi.check(abi.proxy_grpc_stream(cluster.ptr, cluster.len, method.service.ptr, method.service.len, method.name.ptr, method.name.len, metadata.ptr, metadata.len, &token));
        return .{ .token = token };
    }

    pub fn send(grpc: Grpc, message: []const u8, end_of_stream: bool) Error!void {
        try abi.check(abi.proxy_grpc_send(grpc.token, message.ptr, message.len, end_of_stream));
    }

    pub fn cancel(grpc: Grpc) Error!void {
        try abi.check(abi.proxy_grpc_cancel(grpc.token));
    }

    pub fn close(grpc: Grpc) Error!void {
        try abi.check(abi.proxy_grpc_close(grpc.token));
    }
};

pub const Status = struct { code: u32, message: []const u8 };

/// How the last call-out ended, inside of its callback.
pub fn callStatus() Error!Status {
    var out: abi.Given = .{};
    var code: u32 = 0;
    try abi.check(abi.proxy_get_status(&code, &out.at, &out.length));
    return .{ .code = code, .message = out.bytes() };
}

// --- what virtual machines share -------------------------------------------------------------------------------

/// Data that all virtual machines with the same vm_id see.
pub const shared = struct {
    pub const Value = struct { bytes: []const u8, cas: u32 };

    pub fn get(key: []const u8) Error!?Value {
        var out: abi.Given = .{};
        var cas: u32 = 0;
        const status = abi.proxy_get_shared_data(key.ptr, key.len, &out.at, &out.length, &cas);
        return .{ .bytes = try present(status, out) orelse return null, .cas = cas };
    }

    /// Write; with a `cas` only where nobody has written since it was read, else error.CasMismatch.
    pub fn set(key: []const u8, value: []const u8, cas: ?u32) Error!void {
        try abi.check(abi.proxy_set_shared_data(key.ptr, key.len, value.ptr, value.len, cas orelse 0));
    }
};

/// A queue that virtual machines share.
pub const Queue = struct {
    id: u32,

    /// Make a queue; `onQueueReady` tells when it has an item.
    pub fn register(name: []const u8) Error!Queue {
        var id: u32 = 0;
        try abi.check(abi.proxy_register_shared_queue(name.ptr, name.len, &id));
        return .{ .id = id };
    }

    /// Find a queue of another machine.
    pub fn resolve(vm_id: []const u8, name: []const u8) Error!Queue {
        var id: u32 = 0;
        try abi.check(abi.proxy_resolve_shared_queue(vm_id.ptr, vm_id.len, name.ptr, name.len, &id));
        return .{ .id = id };
    }

    pub fn push(queue: Queue, value: []const u8) Error!void {
        try abi.check(abi.proxy_enqueue_shared_queue(queue.id, value.ptr, value.len));
    }

    /// The oldest item; null where there is none.
    pub fn pop(queue: Queue) Error!?[]const u8 {
        var out: abi.Given = .{};
        abi.check(abi.proxy_dequeue_shared_queue(queue.id, &out.at, &out.length)) catch |err|
            return if (err == error.Empty) null else err;
        return out.bytes();
    }
};

/// A number that the proxy's statistics show.
pub const Metric = struct {
    id: u32,

    /// Define a metric, or find it where it is defined already.
    pub fn define(kind: abi.Metric, name: []const u8) Error!Metric {
        var id: u32 = 0;
        try abi.check(abi.proxy_define_metric(kind, name.ptr, name.len, &id));
        return .{ .id = id };
    }

    pub fn increment(metric: Metric, offset: i64) Error!void {
        try abi.check(abi.proxy_increment_metric(metric.id, offset));
    }

    /// Set a gauge, or add to a histogram.
    pub fn record(metric: Metric, value: u64) Error!void {
        try abi.check(abi.proxy_record_metric(metric.id, value));
    }

    pub fn get(metric: Metric) Error!u64 {
        var value: u64 = 0;
        try abi.check(abi.proxy_get_metric(metric.id, &value));
        return value;
    }
};

/// Call a function that the proxy offers beyond the ABI.
pub fn callForeignFunction(name: []const u8, argument: []const u8) Error![]const u8 {
    var out: abi.Given = .{};
    try abi.check(abi.proxy_call_foreign_function(name.ptr, name.len, argument.ptr, argument.len, &out.at, &out.length));
    return out.bytes();
}

// --- time, chance, log -----------------------------------------------------------------------------------------

/// Nanoseconds since 1970.
pub fn now() u64 {
    var time: u64 = 0;
    _ = abi.proxy_get_current_time_nanoseconds(&time);
    return time;
}

/// The proxy's randomness.
pub const random: std.Random = .{ .ptr = undefined, .fillFn = fillRandom };

fn fillRandom(_: *anyopaque, bytes: []u8) void {
    _ = abi.random_get(bytes.ptr, bytes.len);
}

/// Log a line at one of the proxy's levels; `std.log` works as well.
pub fn log(level: Level, comptime format: []const u8, args: anytype) void {
    var line: std.Io.Writer.Allocating = .init(allocator);
    defer line.deinit();
    line.writer.print(format, args) catch {}; // what fits into memory is logged
    const text = line.written();
    _ = abi.proxy_log(level, text.ptr, text.len);
}

/// `std.options.logFn`: a scope comes before its lines.
pub fn logFn(comptime level: std.log.Level, comptime scope: @EnumLiteral(), comptime format: []const u8, args: anytype) void {
    const prefix = if (scope == .default) "" else "(" ++ @tagName(scope) ++ ") ";
    log(switch (level) {
        .err => .err,
        .warn => .warn,
        .info => .info,
        .debug => .debug,
    }, prefix ++ format, args);
}
