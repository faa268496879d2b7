//! Protobuf messages, read field by field without a look at their meaning.

const abi = @import("abi.zig");
const Error = abi.Error;

pub const Fields = struct {
    bytes: []const u8,

    /// `bytes` of a text or a message, else `value`.
    pub const Field = struct { number: u64, bytes: ?[]const u8 = null, value: u64 = 0 };

    /// Null at the end; BadArgument where the bytes are no message.
    pub fn next(fields: *Fields) Error!?Field {
        if (fields.bytes.len == 0) return null;
        const tag = try fields.varint();
        const number = tag >> 3;
        if (number == 0 or number >= 1 << 29) return error.BadArgument;
        return switch (tag & 7) {
            0 => .{ .number = number, .value = try fields.varint() },
            1 => .{ .number = number, .bytes = try fields.take(8) },
            2 => .{ .number = number, .bytes = try fields.take(try fields.varint()) },
            5 => .{ .number = number, .bytes = try fields.take(4) },
            else => error.BadArgument,
        };
    }

    fn varint(fields: *Fields) Error!u64 {
        var value: u64 = 0;
        var shift: u7 = 0;
        while (shift < 64) : (shift += 7) {
            const byte = (try fields.take(1))[0];
            value |= @as(u64, byte & 0x7f) << @intCast(shift);
            if (byte < 0x80) return value;
        }
        return error.BadArgument;
    }

    fn take(fields: *Fields, count: u64) Error![]const u8 {
        if (count > fields.bytes.len) return error.BadArgument;
        const length: usize = @intCast(count);
        defer fields.bytes = fields.bytes[length..];
        return fields.bytes[0..length];
    }
};
