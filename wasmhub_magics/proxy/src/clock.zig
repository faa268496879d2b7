//! Time and randomness: real, or fixed and stepped so that a run repeats byte for byte.

const std = @import("std");

extern "wasi_snapshot_preview1" fn clock_time_get(id: u32, precision: u64, result: *u64) u32;
extern "wasi_snapshot_preview1" fn random_get(buffer: [*]u8, length: usize) u32;

/// Each look at a fixed clock moves it on by this many nanoseconds.
const step = 1000;

var fixed: ?u64 = null;
/// What real time has been moved on by.
var skipped: u64 = 0;
var random: ?std.Random.Xoshiro256 = null;
/// Request ids need to be unique, not secret, so they do not ask the world for randomness each time.
var ids: std.Random.Xoshiro256 = undefined;

pub fn start(at: ?u64, seed: ?u64) void {
    fixed = at;
    if (seed) |value| {
        random = .init(value);
        ids = .init(value +% 1);
    } else {
        var first: u64 = 0;
        _ = random_get(std.mem.asBytes(&first), 8);
        random = null;
        ids = .init(first);
    }
}

/// Nanoseconds since the epoch.
pub fn wall() u64 {
    return look(0);
}

/// Nanoseconds from some point on, never going back.
pub fn monotonic() u64 {
    return look(1);
}

/// The real monotonic clock, also where time is fixed: what measurements need.
pub fn real() u64 {
    var now: u64 = 0;
    _ = clock_time_get(1, 0, &now);
    return now;
}

/// Move time on; what `real` says stays.
pub fn skip(nanoseconds: u64) void {
    if (fixed) |*now| now.* += nanoseconds else skipped += nanoseconds;
}

fn look(id: u32) u64 {
    if (fixed) |*now| {
        now.* += step;
        return now.*;
    }
    var now: u64 = 0;
    _ = clock_time_get(id, 0, &now);
    return now +% skipped;
}

pub fn fill(buffer: []u8) void {
    if (random) |*generator| {
        generator.random().bytes(buffer);
    } else {
        _ = random_get(buffer.ptr, buffer.len);
    }
}

/// A version 4 UUID as text, as Envoy makes for `x-request-id`.
pub fn uuid(text: *[36]u8) void {
    var bits: [2]u64 = .{ ids.next(), ids.next() };
    const bytes = std.mem.asBytes(&bits);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    comptime var at = 0;
    inline for (0..16) |index| {
        if (index == 4 or index == 6 or index == 8 or index == 10) {
            text[at] = '-';
            at += 1;
        }
        text[at..][0..2].* = hex[bytes[index]];
        at += 2;
    }
}

const hex: [256][2]u8 = pairs: {
    @setEvalBranchQuota(2000);
    const digits = "0123456789abcdef";
    var all: [256][2]u8 = undefined;
    for (&all, 0..) |*pair, byte| pair.* = .{ digits[byte >> 4], digits[byte & 15] };
    break :pairs all;
};

/// The value of a `date` header, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn date(text: *[29]u8) void {
    const days = "ThuFriSatSunMonTueWed";
    const months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const epoch: std.time.epoch.EpochSeconds = .{ .secs = wall() / std.time.ns_per_s };
    const day = epoch.getEpochDay();
    const year = day.calculateYearDay();
    const month = year.calculateMonthDay();
    const time = epoch.getDaySeconds();
    const weekday: usize = @intCast(day.day % 7);
    _ = std.fmt.bufPrint(text, "{s}, {d:0>2} {s} {d:0>4} {d:0>2}:{d:0>2}:{d:0>2} GMT", .{
        days[weekday * 3 ..][0..3],                                 month.day_index + 1,
        months[@as(usize, month.month.numeric() - 1) * 3 ..][0..3], year.year,
        time.getHoursIntoDay(),                                     time.getMinutesIntoHour(),
        time.getSecondsIntoMinute(),
    }) catch unreachable;
}
