//! What Envoy's HTTP/1 codec and connection manager make of a request before any filter sees it
//! (`http1/codec_impl.cc`, `conn_manager_impl.cc`, `conn_manager_utility.cc`).

const std = @import("std");

/// An answer that no filter is asked about.
pub const Refusal = struct {
    status: u16,
    details: []const u8,
    body: []const u8 = "",
    /// The headers had been read, so that the log shows them.
    seen: bool = false,
    /// It was answered after the end of a request without a body had been noted.
    late: bool = false,

    fn codec(details: []const u8) Refusal {
        return .{ .status = 400, .details = details, .body = "Bad Request" };
    }
};

/// Where a request goes: the parts of its target.
pub const Target = struct {
    authority: []const u8,
    path: ?[]const u8,
    /// The scheme of an absolute target; null where the target is a path.
    scheme: ?[]const u8 = null,
    refused: ?Refusal = null,

    pub fn of(method: []const u8, raw: []const u8, host: []const u8) Target {
        var target: Target = .{ .authority = host, .path = raw };
        if (!isMethod(method)) return target.refuse(.codec("http1.codec_error"));
        if (std.mem.eql(u8, method, "CONNECT")) {
            if (raw[0] == '/' or std.mem.indexOfScalar(u8, raw, '/') != null) {
                return target.refuse(.codec("http1.invalid_url"));
            }
            target.authority = raw;
            target.path = null;
        } else if (std.mem.eql(u8, raw, "*")) {
            if (!std.mem.eql(u8, method, "OPTIONS")) return target.refuse(.codec("http1.invalid_url"));
            return target.refuse(.{ .status = 404, .details = "absolute_path_rejected", .seen = true, .late = true });
        } else if (raw[0] != '/') {
            const end = std.mem.indexOf(u8, raw, "://") orelse return target.refuse(.codec("http1.codec_error"));
            for (raw[0..end]) |letter| {
                if (!std.ascii.isAlphabetic(letter)) return target.refuse(.codec("http1.codec_error"));
            }
            target.scheme = if (std.ascii.eqlIgnoreCase(raw[0..end], "http"))
                "http"
            else if (std.ascii.eqlIgnoreCase(raw[0..end], "https"))
                "https"
            else
                return target.refuse(.codec("http1.invalid_scheme"));
            const rest = raw[end + 3 ..];
            const slash = std.mem.indexOfAny(u8, rest, "/?#") orelse rest.len;
            const at = std.mem.indexOfScalar(u8, rest[0..slash], '@');
            target.authority = rest[if (at) |place| place + 1 else 0..slash];
            target.path = if (slash == rest.len) "/" else rest[slash..];
            if (target.authority.len == 0) return target.refuse(.codec("http1.invalid_url"));
        }
        for (target.authority) |letter| {
            if (!isAuthority(letter)) return target.refuse(.codec("http.invalid_authority"));
        }
        if (std.mem.indexOfScalar(u8, target.path orelse "", '#') != null) {
            return target.refuse(.{ .status = 400, .details = "path_normalization_failed", .seen = true });
        }
        return target;
    }

    /// HTTP/2 has methods of all kinds, and no absolute targets.
    pub fn ofHttp2(raw: []const u8, host: []const u8) Target {
        const target: Target = .{ .authority = host, .path = raw };
        if (std.mem.indexOfScalar(u8, raw, '#') != null) {
            return target.refuse(.{ .status = 400, .details = "path_normalization_failed", .seen = true });
        }
        return target;
    }

    fn refuse(target: Target, refusal: Refusal) Target {
        var refused = target;
        refused.refused = refusal;
        return refused;
    }
};

fn isAuthority(letter: u8) bool {
    return std.ascii.isAlphanumeric(letter) or std.mem.indexOfScalar(u8, "!$%&'()*+,-.:;=@[]_~", letter) != null;
}

fn isMethod(method: []const u8) bool {
    const known = [_][]const u8{
        "ACL",    "BIND",    "CHECKOUT",    "CONNECT",    "COPY",       "DELETE",    "GET",   "HEAD",
        "LINK",   "LOCK",    "MERGE",       "MKACTIVITY", "MKCALENDAR", "MKCOL",     "MOVE",  "MSEARCH",
        "NOTIFY", "OPTIONS", "PATCH",       "POST",       "PROPFIND",   "PROPPATCH", "PURGE", "PUT",
        "QUERY",  "REBIND",  "REPORT",      "SEARCH",     "SOURCE",     "SUBSCRIBE", "TRACE", "UNBIND",
        "UNLINK", "UNLOCK",  "UNSUBSCRIBE",
    };
    for (known) |name| {
        if (std.mem.eql(u8, name, method)) return true;
    }
    return false;
}

/// Whether a header belongs to the connection and goes no further.
pub fn isHopByHop(name: []const u8) bool {
    inline for (.{ "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade" }) |known| {
        if (std.mem.eql(u8, name, known)) return true;
    }
    return false;
}

/// Whether a client's `connection` header names this one.
pub fn isNominated(connection: []const u8, name: []const u8) bool {
    var names = std.mem.splitScalar(u8, connection, ',');
    while (names.next()) |part| {
        if (std.ascii.eqlIgnoreCase(std.mem.trim(u8, part, " \t"), name)) return true;
    }
    return false;
}

/// What filters see of a client's `te`; null where they see none.
pub fn acceptedCodings(te: []const u8) ?[]const u8 {
    if (te.len == 0) return te;
    var codings = std.mem.splitScalar(u8, te, ',');
    while (codings.next()) |coding| {
        if (std.mem.eql(u8, std.mem.trim(u8, coding, " \t"), "trailers")) return "trailers";
    }
    return null;
}

/// Whether a client's `referer` is a URL or a path.
pub fn isReferer(value: []const u8) bool {
    for (value) |letter| {
        if (letter <= ' ' or letter >= 0x7f) return false;
    }
    const end = std.mem.indexOf(u8, value, "://") orelse return true;
    const host = value[end + 3 ..];
    return host.len > 0 and std.mem.indexOfScalar(u8, "/?#", host[0]) == null;
}

/// Whether a client may not send a header that is for proxies among themselves.
pub fn isForbidden(name: []const u8, value: []const u8) bool {
    if (std.mem.eql(u8, name, "expect")) return std.mem.eql(u8, value, "100-continue");
    if (std.mem.eql(u8, name, "x-forwarded-client-cert")) return true;
    if (!std.mem.startsWith(u8, name, prefix)) return false;
    const internal = [_][]const u8{
        "internal",     "force-trace", "ip-tags", "expected-rq-timeout-ms",
        "original-url",
    };
    const rest = name[prefix.len..];
    for (internal) |known| {
        if (std.mem.eql(u8, known, rest)) return true;
    }
    return isForRouter(rest);
}

pub const prefix = "x-envoy-";
pub const prefix_word = std.mem.readInt(u64, prefix, .little);

/// Whether a header `x-envoy-...` tells the router what to do; it takes it away.
pub fn isForRouter(rest: []const u8) bool {
    const known_to_router = [_][]const u8{
        "retry-on",                         "retry-grpc-on",                  "max-retries",
        "retriable-status-codes",           "retriable-header-names",         "upstream-alt-stat-name",
        "upstream-rq-timeout-ms",           "upstream-rq-per-try-timeout-ms", "hedge-on-per-try-timeout",
        "upstream-rq-timeout-alt-response", "upstream-stream-duration-ms",
    };
    for (known_to_router) |known| {
        if (std.mem.eql(u8, known, rest)) return true;
    }
    return false;
}
