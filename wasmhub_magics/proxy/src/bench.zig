//! A loop over one prepared exchange, and a histogram of what each took.

const clock = @import("clock.zig");
const worker = @import("worker.zig");
const Stream = @import("stream.zig").Stream;
const prepared_zig = @import("prepared.zig");

/// Counts of nanoseconds as HdrHistogram keeps them: 2048 linear steps in each power of two, so that a value
/// is known to 0.1 %. What lies above the range counts as the highest value.
pub const Histogram = struct {
    counts: [(groups + 1) * half]u64 = @splat(0),

    const half = 1024;
    const groups = 30;
    const highest: u64 = (1 << 40) - 1;

    pub fn add(self: *Histogram, raw: u64) void {
        const value: u64 = @min(raw, highest);
        const group: u6 = @intCast(53 - @clz(value | (2 * half - 1)));
        const step: usize = @intCast(value >> group);
        self.counts[@as(usize, group) * half + step] += 1;
    }
};

pub var histogram: Histogram = .{};

/// Exchanges still to run; a trap interrupts the loop, which then goes on from here.
pub var remaining: u64 = 0;
pub var timed: bool = false;
var started: u64 = 0;
var running: bool = false;

pub fn start(count: u64, with_times: bool) void {
    remaining = count;
    timed = with_times;
    running = false;
    @memset(&histogram.counts, 0);
}

/// True where the loop has ended, false where a cluster must answer.
pub fn run(prepared: *const prepared_zig.Prepared) error{OutOfMemory}!bool {
    const stream = &worker.stream;
    while (remaining > 0) {
        if (!running) {
            running = true;
            if (timed) started = clock.real();
            try @call(.always_inline, Stream.begin, .{ stream, prepared });
        }
        switch (try stream.run()) {
            .done => {},
            .call => return false,
            .upstream => @panic("a loop needs a fixed answer of the upstream"),
        }
        if (timed) histogram.add(clock.real() - started);
        running = false;
        remaining -= 1;
    }
    return true;
}
