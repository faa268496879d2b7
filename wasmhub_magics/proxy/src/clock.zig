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
var ids: std.Random.SplitMix64 = undefined;

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
    const Bytes = @Vector(16, u8);
    const kept = comptime only(Bytes, 0xff, .{ 0x0f, 0x3f });
    const known = comptime only(Bytes, 0, .{ 0x40, 0x80 });
    const bytes = @as(Bytes, @bitCast([2]u64{ ids.next(), ids.next() })) & kept | known;
    const high, const low = .{ digits(bytes >> @splat(4)), digits(bytes & @as(Bytes, @splat(15))) };
    // Through memory that counts as seen from outside: the compiler would take all digits apart again.
    const all: [*]volatile u8 = &id_digits;
    @as(*volatile Bytes, @ptrCast(@alignCast(all))).* = @shuffle(u8, high, low, pairs(0));
    @as(*volatile Bytes, @ptrCast(@alignCast(all + 16))).* = @shuffle(u8, high, low, pairs(8));
    inline for (.{ 0, 4, 9, 14, 19, 24, 28, 32 }, 0..) |to, word| {
        text[to..][0..4].* = @bitCast(@as(*volatile u32, @ptrCast(@alignCast(all + 4 * word))).*);
    }
    inline for (.{ 8, 13, 18, 23 }) |place| text[place] = '-';
}

var id_digits: [32]u8 align(16) = undefined;

/// One number in all places but those of a UUID's version and variant.
fn only(comptime Bytes: type, most: u8, others: [2]u8) Bytes {
    var all: Bytes = @splat(most);
    all[6], all[8] = others;
    return all;
}

/// The digits of eight bytes side by side; `~n` is the nth place of the second vector.
fn pairs(first: i32) [16]i32 {
    var places: [16]i32 = undefined;
    for (0..8) |n| {
        const place = first + @as(i32, @intCast(n));
        places[2 * n], places[2 * n + 1] = .{ place, ~place };
    }
    return places;
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
