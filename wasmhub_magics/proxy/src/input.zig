//! What the driver says: bytes that it writes into the host's memory before it calls a function that takes their length.

const gpa = @import("arena.zig").gpa;

pub var bytes: []u8 = &.{};

/// Room for what the driver wants to say next.
export fn reserve(length: usize) [*]u8 {
    if (bytes.len < length) {
        gpa.free(bytes);
        bytes = &.{};
        bytes = gpa.alloc(u8, @max(length, 4096)) catch outOfMemory();
    }
    return bytes.ptr;
}

pub fn outOfMemory() noreturn {
    @panic("out of memory");
}
