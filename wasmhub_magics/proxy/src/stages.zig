//! The stages of a stream: the request, what the upstream answers, the response, the end.

const arena_zig = @import("arena.zig");
const events = @import("events.zig");
const steps = @import("steps.zig");
const straight = @import("straight.zig");
const stream_zig = @import("stream.zig");

const Need = stream_zig.Need;
const Stream = stream_zig.Stream;

/// Go on until the stream has ended and nothing is left beside it, or until somebody must answer.
pub fn run(stream: *Stream) error{OutOfMemory}!Need {
    if (stream.stage == .request and try straight.exchange(stream)) return .done;
    return runOn(stream);
}

noinline fn runOn(stream: *Stream) error{OutOfMemory}!Need {
    while (true) {
        if (stream.frames.items.len > 0) {
            try steps.run(stream);
            continue;
        }
        switch (stream.stage) {
            .request => {
                if (stream.response_done or stream.was_reset) {
                    stream.finish();
                    continue;
                }
                if (stream.actions.items.len > 0) {
                    _ = try stream.act();
                    continue;
                }
                if (stream.request_done and !stream.upstream_called) {
                    stream.upstream_called = true;
                }
                switch (if (stream.request_done) try events.prompt() else try events.wait(stream.began)) {
                    .ran => continue,
                    .ask => return .call,
                    .idle => {},
                }
                if (!stream.request_done) {
                    stream.finish();
                    continue;
                }
                stream.stage = .upstream;
                const upstream = stream.prepared.upstream orelse return .upstream;
                try stream.respond(upstream);
            },
            .upstream => return .upstream,
            .response => {
                if (!stream.response_done and !stream.was_reset) {
                    if (stream.actions.items.len > 0) {
                        _ = try stream.act();
                        continue;
                    }
                    // While an answer waits, the rest of the request comes in.
                    if (stream.prepared.chunks.len < 2 or !events.pending()) stream.request.complete = true;
                    switch (try events.wait(stream.began)) {
                        .ran => continue,
                        .ask => return .call,
                        .idle => {},
                    }
                }
                stream.finish();
            },
            .finish_log => try stream.stepLog(),
            .finish_done => try stream.stepDone(),
            .ended => {
                arena_zig.clear(&stream.actions);
                switch (try events.rest()) {
                    .ran => {},
                    .ask => return .call,
                    .idle => return .done,
                }
            },
        }
    }
}
