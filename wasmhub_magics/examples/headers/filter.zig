//! Add and rewrite headers.
const std = @import("std");
const pw = @import("proxy_wasm");

pub fn onRequestHeaders(stream: pw.Stream) !void {
    const headers = stream.request.headers;
    try headers.set("x-env", "prod"); // whatever the client says
    try headers.remove("x-internal-token"); // only we may send this
    const path = try headers.get(":path") orelse return;
    if (std.mem.startsWith(u8, path, "/api/")) try headers.print(":path", "/v1/{s}", .{path[5..]});
}

pub fn onResponseHeaders(stream: pw.Stream) !void {
    const headers = stream.response.headers;
    try headers.remove("x-powered-by");
    try headers.set("strict-transport-security", "max-age=63072000");
    try headers.set("x-content-type-options", "nosniff");
}
