//! Body redaction: of 16 digits in a row the last four stay.
const std = @import("std");
const pw = @import("proxy_wasm");

/// Whether the body is JSON or text.
var readable: pw.PerStream(bool) = .init(false);

pub fn onResponseHeaders(stream: pw.Stream) !void {
    const kind = try stream.response.headers.get("content-type") orelse "";
    (try readable.of(stream)).* = std.mem.startsWith(u8, kind, "application/json") or std.mem.startsWith(u8, kind, "text/");
}

pub fn onResponseBody(stream: pw.Stream) !pw.Action {
    if (!(try readable.of(stream)).*) return .proceed;
    if (!stream.end_of_stream) return .pause; // until all of the body is here
    const body = try stream.response.body.get();
    var run: usize = 0;
    for (0..body.len + 1) |at| {
        if (at < body.len and std.ascii.isDigit(body[at])) {
            run += 1;
            continue;
        }
        if (run == 16) @memset(body[at - 16 .. at - 4], '*');
        run = 0;
    }
    try stream.response.body.set(body); // as long as before, so content-length stays right
    return .proceed;
}
