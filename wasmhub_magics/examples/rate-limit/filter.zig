//! Rate limit by shared data: "3 3600" lets 3 requests of a key in at once, and one more every 3600 seconds.
const std = @import("std");
const pw = @import("proxy_wasm");

var burst: u64 = 0;
var every: u64 = 0;

pub fn onConfigure(plugin: pw.Plugin) !bool {
    burst, every = try twoNumbers(try plugin.configuration());
    return burst > 0 and every > 0;
}

pub fn onRequestHeaders(stream: pw.Stream) !pw.Action {
    const client = try stream.request.headers.get("x-api-key") orelse "";
    const key = try std.fmt.allocPrint(pw.arena, "rate-limit/{s}", .{client});
    const now = pw.now() / std.time.ns_per_s;
    while (true) {
        const stored = try pw.shared.get(key);
        var left, var since = if (stored) |value| try twoNumbers(value.bytes) else .{ burst, now };
        const more = (now - since) / every;
        left = @min(burst, left + more);
        since += more * every;
        if (left == 0) {
            const wait = try std.fmt.allocPrint(pw.arena, "{d}", .{since + every - now});
            return stream.respond(429, .{ .headers = &.{.{ .name = "retry-after", .value = wait }}, .body = "too many requests\n" });
        }
        if (left == burst) since = now;
        const after = try std.fmt.allocPrint(pw.arena, "{d} {d}", .{ left - 1, since });
        pw.shared.set(key, after, if (stored) |value| value.cas else null) catch |err| switch (err) {
            error.CasMismatch => continue, // another worker was faster
            else => return err,
        };
        return .proceed;
    }
}

fn twoNumbers(text: []const u8) ![2]u64 {
    const space = std.mem.indexOfScalar(u8, text, ' ') orelse return error.Malformed;
    return .{ try std.fmt.parseInt(u64, text[0..space], 10), try std.fmt.parseInt(u64, text[space + 1 ..], 10) };
}
