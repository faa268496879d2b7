//! Turns host functions into exports that filters are linked to, and counts them for the trace.
//!
//! `proxy_log` is exported as `proxy_log`, WASI's `fd_write` as `wasi_fd_write`, since a name of WASI is already
//! the name of what the host itself imports.

const abi = @import("abi.zig");
const calls_short = @import("calls_short.zig");
const trace = @import("trace.zig");
const worker = @import("worker.zig");

const groups = .{
    .{ @import("calls.zig"), "" },
    .{ @import("calls_headers.zig"), "" },
    .{ @import("calls_buffers.zig"), "" },
    .{ @import("calls_http.zig"), "" },
    .{ @import("calls_grpc.zig"), "" },
    .{ @import("calls_foreign.zig"), "" },
    .{ @import("metrics.zig"), "" },
    .{ @import("shared_data.zig"), "" },
    .{ @import("queues.zig"), "" },
    .{ @import("calls_dns.zig"), "" },
    .{ @import("wasi.zig"), "wasi_" },
};

/// The names of all host functions; the trace knows them by their place here.
pub const names = all: {
    @setEvalBranchQuota(20_000);
    var list: []const []const u8 = &.{};
    for (groups) |group| {
        for (@typeInfo(group[0]).@"struct".decl_names) |name| {
            if (isHostFunction(group[0], name)) list = list ++ .{group[1] ++ name};
        }
    }
    break :all list;
};

fn isHostFunction(comptime group: type, comptime name: []const u8) bool {
    const info = @typeInfo(@TypeOf(@field(group, name)));
    if (info != .@"fn") return false;
    const result = info.@"fn".return_type orelse return false;
    return result == abi.Error!void or result == abi.Error!u32;
}

pub fn exportAll() void {
    comptime {
        @setEvalBranchQuota(20_000);
        var id: u8 = 0;
        for (groups) |group| {
            for (@typeInfo(group[0]).@"struct".decl_names) |name| {
                if (!isHostFunction(group[0], name)) continue;
                const short = if (@hasDecl(calls_short, name)) @field(calls_short, name) else null;
                const exported = Export(id, @field(group[0], name), short, group[1].len > 0);
                @export(&exported.call, .{ .name = group[1] ++ name });
                id += 1;
            }
        }
    }
}

/// A host function as filters call it: traced, and with a failure turned into a number.
fn Export(comptime id: u8, comptime function: anytype, comptime short: anytype, comptime wasi: bool) type {
    const T = @typeInfo(@TypeOf(function)).@"fn".param_types;
    const Run = struct {
        inline fn run(arguments: anytype) u32 {
            if (@TypeOf(short) == @TypeOf(null)) return whole(arguments);
            if (worker.mailbox.stop == 0) {
                @branchHint(.likely);
                worker.mailbox.guest = 0;
                const value = @call(.always_inline, short, arguments);
                if (value != calls_short.unanswered) {
                    @branchHint(.likely);
                    worker.mailbox.guest = 1;
                    return value;
                }
            }
            return @call(.never_inline, Export(id, function, null, wasi).call, arguments);
        }

        inline fn whole(arguments: anytype) u32 {
            worker.leaveGuest();
            if (trace.on) {
                @branchHint(.unlikely);
                var list: [arguments.len]u64 = undefined;
                inline for (arguments, 0..) |argument, index| list[index] = bits(argument);
                trace.hostCall(id, &list);
            }
            const outcome = @call(.auto, function, arguments);
            const value: u32 = if (outcome) |success|
                (if (@TypeOf(success) == void) 0 else success)
            else |failure|
                (if (wasi) 21 else abi.status(failure));
            if (trace.on) {
                @branchHint(.unlikely);
                trace.result(value);
            }
            worker.enterGuest();
            return value;
        }
    };
    return switch (T.len) {
        0 => struct {
            fn call() callconv(.c) u32 {
                return Run.run(.{});
            }
        },
        1 => struct {
            fn call(a: T[0].?) callconv(.c) u32 {
                return Run.run(.{a});
            }
        },
        2 => struct {
            fn call(a: T[0].?, b: T[1].?) callconv(.c) u32 {
                return Run.run(.{ a, b });
            }
        },
        3 => struct {
            fn call(a: T[0].?, b: T[1].?, c: T[2].?) callconv(.c) u32 {
                return Run.run(.{ a, b, c });
            }
        },
        4 => struct {
            fn call(a: T[0].?, b: T[1].?, c: T[2].?, d: T[3].?) callconv(.c) u32 {
                return Run.run(.{ a, b, c, d });
            }
        },
        5 => struct {
            fn call(a: T[0].?, b: T[1].?, c: T[2].?, d: T[3].?, e: T[4].?) callconv(.c) u32 {
                return Run.run(.{ a, b, c, d, e });
            }
        },
        6 => struct {
            fn call(a: T[0].?, b: T[1].?, c: T[2].?, d: T[3].?, e: T[4].?, f: T[5].?) callconv(.c) u32 {
                return Run.run(.{ a, b, c, d, e, f });
            }
        },
        7 => struct {
            fn call(a: T[0].?, b: T[1].?, c: T[2].?, d: T[3].?, e: T[4].?, f: T[5].?, g: T[6].?) callconv(.c) u32 {
                return Run.run(.{ a, b, c, d, e, f, g });
            }
        },
        8 => struct {
            fn call(a: T[0].?, b: T[1].?, c: T[2].?, d: T[3].?, e: T[4].?, f: T[5].?, g: T[6].?, h: T[7].?) callconv(.c) u32 {
                return Run.run(.{ a, b, c, d, e, f, g, h });
            }
        },
        9 => struct {
            fn call(a: T[0].?, b: T[1].?, c: T[2].?, d: T[3].?, e: T[4].?, f: T[5].?, g: T[6].?, h: T[7].?, i: T[8].?) callconv(.c) u32 {
                return Run.run(.{ a, b, c, d, e, f, g, h, i });
            }
        },
        10 => struct {
            fn call(a: T[0].?, b: T[1].?, c: T[2].?, d: T[3].?, e: T[4].?, f: T[5].?, g: T[6].?, h: T[7].?, i: T[8].?, j: T[9].?) callconv(.c) u32 {
                return Run.run(.{ a, b, c, d, e, f, g, h, i, j });
            }
        },
        12 => struct {
            fn call(a: T[0].?, b: T[1].?, c: T[2].?, d: T[3].?, e: T[4].?, f: T[5].?, g: T[6].?, h: T[7].?, i: T[8].?, j: T[9].?, k: T[10].?, l: T[11].?) callconv(.c) u32 {
                return Run.run(.{ a, b, c, d, e, f, g, h, i, j, k, l });
            }
        },
        else => @compileError("no host function has so many parameters"),
    };
}

fn bits(argument: anytype) u64 {
    return if (@TypeOf(argument) == i64) @bitCast(argument) else argument;
}
