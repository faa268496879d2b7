//! The end of a stream: every filter logs, then each is done and deleted.

const arena_zig = @import("arena.zig");
const exchange = @import("exchange.zig");
const opaquely = @import("straight.zig").opaquely;
const stream_zig = @import("stream.zig");
const vm_zig = @import("vm.zig");

const Filter = stream_zig.Filter;
const Stream = stream_zig.Stream;

pub fn finish(stream: *Stream) void {
    stream.stage = .finish_log;
    stream.finish_index = 0;
    stream.finish_step = .create;
    if (stream.recording and stream.response_done) exchange.keepResponse(stream) catch @panic("out of memory");
    stream.hung_up = !stream.response_done and !stream.was_reset;
    if (stream.hung_up) stream.details = "downstream_remote_disconnect";
}

/// The end of a stream: first every filter logs, then each is done and deleted. What is noted before a callback
/// is where it goes on after a trap.
pub fn stepLog(stream: *Stream) error{OutOfMemory}!void {
    while (stream.finish_index < stream.filters.items.len) {
        const filter = opaquely(&stream.filters.items.ptr[stream.finish_index]);
        const vm = filter.context.vm;
        if (filter.skipped or vm.failed) {
            stream.finish_index += 1;
            stream.finish_step = .create;
            continue;
        }
        if (stream.unheard) {
            stream.unheard = false;
            filter.created = true;
        }
        if (stream.finish_step == .create) {
            stream.finish_step = .log;
            if (!filter.created) {
                create(filter);
                if (stream.replies()) {
                    const reply = stream.actions.items[0].reply;
                    stream.note(&reply);
                    arena_zig.clear(&stream.actions);
                    // Nobody hears it, but where there was no answer yet the other filters are asked about it.
                    if (!stream.response.headers.exists) {
                        filter.created = false;
                        filter.stop = false;
                        stream.unheard = true;
                        stream.unanswered = true;
                        try stream.localReply(reply);
                        stream.stage = .finish_log;
                        return;
                    }
                }
            }
        }
        stream.finish_index += 1;
        stream.finish_step = .create;
        if (vm.has(.proxy_on_log)) {
            filter.logging = true;
            vm_zig.invokeInline(void, &filter.context, .proxy_on_log, .{});
            filter.logging = false;
        }
        arena_zig.clear(&stream.actions);
    }
    stream.stage = .finish_done;
    stream.finish_index = 0;
    stream.finish_step = .done;
}

pub fn stepDone(stream: *Stream) error{OutOfMemory}!void {
    while (stream.finish_index < stream.filters.items.len) {
        const filter = opaquely(&stream.filters.items.ptr[stream.finish_index]);
        const vm = filter.context.vm;
        const gone = filter.skipped or !filter.created or vm.failed;
        if (stream.finish_step == .done) {
            stream.finish_step = .delete;
            if (!gone and vm.has(.proxy_on_done)) _ = vm_zig.invokeInline(u32, &filter.context, .proxy_on_done, .{});
            arena_zig.clear(&stream.actions);
        }
        stream.finish_index += 1;
        stream.finish_step = .done;
        if (!gone and vm.has(.proxy_on_delete)) vm_zig.invokeInline(void, &filter.context, .proxy_on_delete, .{});
        arena_zig.clear(&stream.actions);
    }
    stream.stage = .ended;
    stream.alive = false;
    if (stream.late) |frame| {
        stream.late = null;
        try stream.push(frame);
    }
}

/// Give a filter its context.
pub inline fn create(filter: *Filter) void {
    const vm = filter.context.vm;
    filter.context.id = vm.takeContextId();
    filter.created = true;
    if (vm.has(.proxy_on_context_create)) {
        vm_zig.invokeInline(void, &filter.context, .proxy_on_context_create, .{filter.context.plugin.?.root.id});
    }
}
