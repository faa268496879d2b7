//! JWT check. The configuration is the secret that tokens are signed with (HS256).
const std = @import("std");
const pw = @import("proxy_wasm");
const Hmac = std.crypto.auth.hmac.sha2.HmacSha256;

const Head = struct { alg: []const u8 };
const Claims = struct { sub: []const u8 = "", exp: ?u64 = null };

var secret: []const u8 = "";

pub fn onConfigure(plugin: pw.Plugin) !bool {
    secret = try pw.allocator.dupe(u8, try plugin.configuration());
    return secret.len > 0;
}

pub fn onRequestHeaders(stream: pw.Stream) !pw.Action {
    const headers = stream.request.headers;
    try headers.remove("x-jwt-sub"); // only we may send this
    const given = try headers.get("authorization") orelse "";
    if (!std.mem.startsWith(u8, given, "Bearer ")) return refuse(stream, "no token\n");
    const claims = check(given["Bearer ".len..]) catch return refuse(stream, "wrong token\n");
    if (claims.exp) |exp| {
        if (exp <= pw.now() / std.time.ns_per_s) return refuse(stream, "expired token\n");
    }
    try headers.set("x-jwt-sub", claims.sub);
    return .proceed;
}

fn refuse(stream: pw.Stream, why: []const u8) !pw.Action {
    return stream.respond(401, .{ .headers = &.{.{ .name = "www-authenticate", .value = "Bearer" }}, .body = why });
}

fn check(token: []const u8) !Claims {
    const end = std.mem.lastIndexOfScalar(u8, token, '.') orelse return error.Malformed;
    const middle = std.mem.indexOfScalar(u8, token[0..end], '.') orelse return error.Malformed;
    var good: [Hmac.mac_length]u8 = undefined;
    Hmac.create(&good, token[0..end], secret);
    const signature = try decoded(token[end + 1 ..]);
    if (signature.len != good.len) return error.Signature;
    if (!std.crypto.timing_safe.eql([Hmac.mac_length]u8, good, signature[0..good.len].*)) return error.Signature;
    const head = try parse(Head, token[0..middle]);
    if (!std.mem.eql(u8, head.alg, "HS256")) return error.Algorithm;
    return parse(Claims, token[middle + 1 .. end]);
}

fn decoded(text: []const u8) ![]u8 {
    const decoder = std.base64.url_safe_no_pad.Decoder;
    const bytes = try pw.arena.alloc(u8, try decoder.calcSizeForSlice(text));
    try decoder.decode(bytes, text);
    return bytes;
}

fn parse(comptime T: type, text: []const u8) !T {
    return std.json.parseFromSliceLeaky(T, pw.arena, try decoded(text), .{ .ignore_unknown_fields = true });
}
