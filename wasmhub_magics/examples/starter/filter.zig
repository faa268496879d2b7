const std = @import("std");
const pw = @import("proxy_wasm");

pub fn onRequestHeaders(stream: pw.Stream) !void {
    const user = try stream.request.headers.get("x-user") orelse "stranger";
    try stream.request.headers.print("x-greeting", "hello {s}", .{user});
    std.log.info("greeted {s}", .{user});
}
