//! The root of a filter: it exports to the proxy what the cell declares, and what every filter needs.

const std = @import("std");
const cell = @import("cell");
const own = @import("own"); // which of the exports below the cell makes by itself
const pw = @import("proxy_wasm");

pub const std_options: std.Options = if (@hasDecl(cell, "std_options")) cell.std_options else .{
    .logFn = pw.logFn,
    .log_level = .debug,
};
pub const panic = if (@hasDecl(cell, "panic")) cell.panic else std.debug.FullPanic(onPanic);

fn onPanic(text: []const u8, _: ?usize) noreturn {
    pw.log(.critical, "panic: {s}", .{text});
    @trap();
}

export fn proxy_abi_version_0_2_1() void {}

comptime {
    _ = cell;
    for (.{
        .{ "onVmStart", "proxy_on_vm_start", Asked },
        .{ "onConfigure", "proxy_on_configure", Asked },
        .{ "onTick", "proxy_on_tick", OfPlugin },
        .{ "onRequestHeaders", "proxy_on_request_headers", OfHeaders },
        .{ "onRequestBody", "proxy_on_request_body", OfBody },
        .{ "onRequestTrailers", "proxy_on_request_trailers", OfTrailers },
        .{ "onResponseHeaders", "proxy_on_response_headers", OfHeaders },
        .{ "onResponseBody", "proxy_on_response_body", OfBody },
        .{ "onResponseTrailers", "proxy_on_response_trailers", OfTrailers },
        .{ "onLog", "proxy_on_log", OfLog },
        .{ "onHttpCallResponse", "proxy_on_http_call_response", OfCall },
        .{ "onGrpcInitialMetadata", "proxy_on_grpc_receive_initial_metadata", OfGrpc },
        .{ "onGrpcMessage", "proxy_on_grpc_receive", OfGrpc },
        .{ "onGrpcTrailingMetadata", "proxy_on_grpc_receive_trailing_metadata", OfGrpc },
        .{ "onGrpcClose", "proxy_on_grpc_close", OfGrpcClose },
        .{ "onQueueReady", "proxy_on_queue_ready", OfQueue },
        .{ "onForeignFunction", "proxy_on_foreign_function", OfForeign },
    }) |each| {
        if (@hasDecl(cell, each[0])) @export(&each[2](each[0]).call, .{ .name = each[1] });
    }
    if (!own.proxy_on_memory_allocate) @export(&pw.allocateForHost, .{ .name = "proxy_on_memory_allocate" });
    if (!own.proxy_on_context_create) @export(&onContextCreate, .{ .name = "proxy_on_context_create" });
    if (!own.proxy_on_done) @export(&onDone, .{ .name = "proxy_on_done" });
    if (!own.proxy_on_delete) @export(&onDelete, .{ .name = "proxy_on_delete" });
}

// --- callbacks, by what they are called with -------------------------------------------------------------------

fn Asked(comptime name: []const u8) type {
    return struct {
        fn call(id: u32, _: u32) callconv(.c) bool {
            checkArguments(name, .{pw.Plugin});
            pw.enter();
            defer pw.leave();
            const result = @field(cell, name)(.{ .id = id });
            const answer = if (@typeInfo(@TypeOf(result)) == .error_union) result catch |err| {
                pw.log(.err, name ++ " refused: error.{s}", .{@errorName(err)});
                return false;
            } else result;
            if (@TypeOf(answer) == bool and !answer) {
                pw.log(.err, name ++ " refused: it returned false", .{});
                return false;
            }
            return true;
        }
    };
}

fn OfPlugin(comptime name: []const u8) type {
    return struct {
        fn call(id: u32) callconv(.c) void {
            run(name, .{pw.Plugin{ .id = id }});
        }
    };
}

fn OfHeaders(comptime name: []const u8) type {
    return struct {
        fn call(id: u32, _: u32, end_of_stream: bool) callconv(.c) u32 {
            return switch (decide(name, .{ .id = id, .end_of_stream = end_of_stream })) {
                .proceed => 0,
                .pause => 1,
                .buffer => 3,
                .watermark => 4,
                .no_buffer => fail(name, "only a body can be dropped"),
            };
        }
    };
}

fn OfBody(comptime name: []const u8) type {
    return struct {
        fn call(id: u32, _: u32, end_of_stream: bool) callconv(.c) u32 {
            return switch (decide(name, .{ .id = id, .end_of_stream = end_of_stream })) {
                .proceed => 0,
                .pause, .buffer => 1,
                .watermark => 2,
                .no_buffer => 3,
            };
        }
    };
}

fn OfTrailers(comptime name: []const u8) type {
    return struct {
        fn call(id: u32, _: u32) callconv(.c) u32 {
            return @intFromBool(decide(name, .{ .id = id, .end_of_stream = true }) != .proceed);
        }
    };
}

fn OfLog(comptime name: []const u8) type {
    return struct {
        fn call(id: u32) callconv(.c) void {
            if (!isRoot(id)) run(name, .{pw.Stream{ .id = id, .end_of_stream = true }});
        }
    };
}

fn OfCall(comptime name: []const u8) type {
    return struct {
        fn call(id: u32, token: u32, headers: u32, _: u32, _: u32) callconv(.c) void {
            run(name, .{ pw.Plugin{ .id = id }, pw.CallResponse{ .token = token, .header_count = headers } });
        }
    };
}

fn OfGrpc(comptime name: []const u8) type {
    return struct {
        fn call(id: u32, token: u32, _: u32) callconv(.c) void {
            run(name, .{ pw.Plugin{ .id = id }, pw.Grpc{ .token = token } });
        }
    };
}

fn OfGrpcClose(comptime name: []const u8) type {
    return struct {
        fn call(id: u32, token: u32, status: u32) callconv(.c) void {
            run(name, .{ pw.Plugin{ .id = id }, pw.Grpc{ .token = token }, status });
        }
    };
}

fn OfQueue(comptime name: []const u8) type {
    return struct {
        fn call(id: u32, queue: u32) callconv(.c) void {
            run(name, .{ pw.Plugin{ .id = id }, pw.Queue{ .id = queue } });
        }
    };
}

fn OfForeign(comptime name: []const u8) type {
    return struct {
        fn call(id: u32, function: u32, _: u32) callconv(.c) void {
            run(name, .{ pw.Plugin{ .id = id }, function, pw.Body{ .buffer = .call_data } });
        }
    };
}

/// The plugins; all other contexts are streams.
var roots: std.ArrayList(u32) = .empty;

fn onContextCreate(id: u32, parent: u32) callconv(.c) void {
    if (parent == 0) roots.append(pw.allocator, id) catch fail("the start", "OutOfMemory");
}

fn isRoot(id: u32) bool {
    return std.mem.findScalar(u32, roots.items, id) != null;
}

fn onDone(id: u32) callconv(.c) bool {
    if (isRoot(id)) {
        if (@hasDecl(cell, "onPluginDone")) {
            const answer = run("onPluginDone", .{pw.Plugin{ .id = id }});
            if (@TypeOf(answer) == bool) return answer;
        }
    } else if (@hasDecl(cell, "onDone")) {
        run("onDone", .{pw.Stream{ .id = id, .end_of_stream = true }});
    }
    return true;
}

fn onDelete(id: u32) callconv(.c) void {
    if (std.mem.findScalar(u32, roots.items, id)) |at| {
        _ = roots.swapRemove(at);
        return;
    }
    if (@hasDecl(cell, "onDelete")) run("onDelete", .{pw.Stream{ .id = id, .end_of_stream = true }});
    pw.forgetStream(id);
}

// --- how they are called ---------------------------------------------------------------------------------------

fn decide(comptime name: []const u8, stream: pw.Stream) pw.Action {
    const result = run(name, .{stream});
    return switch (@TypeOf(result)) {
        void => .proceed,
        pw.Action => result,
        else => |T| @compileError(name ++ " must return void or pw.Action, with or without errors, not " ++ @typeName(T)),
    };
}

fn run(comptime name: []const u8, arguments: anytype) Payload(name) {
    comptime var types: [arguments.len]type = undefined;
    inline for (arguments, 0..) |argument, i| types[i] = @TypeOf(argument);
    checkArguments(name, types);
    pw.enter();
    defer pw.leave();
    const result = @call(.auto, @field(cell, name), arguments);
    return if (@typeInfo(@TypeOf(result)) == .error_union)
        result catch |err| fail(name, @errorName(err))
    else
        result;
}

fn checkArguments(comptime name: []const u8, comptime types: anytype) void {
    const wanted = @typeInfo(@TypeOf(@field(cell, name))).@"fn".param_types;
    comptime var wrong = wanted.len != types.len;
    comptime var list: []const u8 = "";
    inline for (types, 0..) |T, i| {
        if (!wrong and wanted[i] != null and wanted[i].? != T) wrong = true;
        list = list ++ (if (i == 0) "" else ", ") ++ comptime shortName(T);
    }
    if (wrong) @compileError(name ++ " is called with (" ++ list ++ ")");
}

fn shortName(comptime T: type) []const u8 {
    const whole = @typeName(T);
    const dot = std.mem.lastIndexOfScalar(u8, whole, '.') orelse return whole;
    return "pw." ++ whole[dot + 1 ..];
}

fn Payload(comptime name: []const u8) type {
    const T = @typeInfo(@TypeOf(@field(cell, name))).@"fn".return_type.?;
    return switch (@typeInfo(T)) {
        .error_union => |info| info.payload,
        else => T,
    };
}

fn fail(comptime name: []const u8, why: []const u8) noreturn {
    pw.log(.err, name ++ ": error.{s}", .{why});
    @trap();
}
