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
    const Letters = @Vector(16, u8);
    var bytes: Letters = @bitCast([2]u64{ ids.next(), ids.next() });
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const high = digits(bytes >> @splat(4));
    const low = digits(bytes & @as(Letters, @splat(15)));
    // Digits of the same byte stand side by side; ~n is the nth of the second vector.
    const head = @shuffle(u8, high, low, [16]i32{ 0, ~@as(i32, 0), 1, ~@as(i32, 1), 2, ~@as(i32, 2), 3, ~@as(i32, 3), 4, ~@as(i32, 4), 5, ~@as(i32, 5), 6, ~@as(i32, 6), 7, ~@as(i32, 7) });
    const tail = @shuffle(u8, high, low, [16]i32{ 8, ~@as(i32, 8), 9, ~@as(i32, 9), 10, ~@as(i32, 10), 11, ~@as(i32, 11), 12, ~@as(i32, 12), 13, ~@as(i32, 13), 14, ~@as(i32, 14), 15, ~@as(i32, 15) });
    const first: [16]u8, const second: [16]u8 = .{ head, tail };
    text[0..8].* = first[0..8].*;
    text[9..13].* = first[8..12].*;
    text[14..18].* = first[12..16].*;
    text[19..23].* = second[0..4].*;
    text[24..36].* = second[4..16].*;
    inline for (.{ 8, 13, 18, 23 }) |place| text[place] = '-';
}

/// Hexadecimal digits of numbers below 16.
inline fn digits(numbers: @Vector(16, u8)) @Vector(16, u8) {
    const letters = numbers > @as(@Vector(16, u8), @splat(9));
    return numbers + @select(u8, letters, @as(@Vector(16, u8), @splat('a' - 10)), @as(@Vector(16, u8), @splat('0')));
}

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
