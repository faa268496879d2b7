//! WASI as Envoy has it (`proxy-wasm-cpp-host src/exports.cc`): enough for language runtimes to start and
//! print, and no files. Each function has its name in WASI; `link.zig` makes exports of them.

const std = @import("std");
const abi = @import("abi.zig");
const clock = @import("clock.zig");
const log = @import("log.zig");
const worker = @import("worker.zig");
const calls = @import("calls.zig");

const Error = abi.Error;

const success = 0;
const badf = 8;
const inval = 28;
const noent = 44;
const nosys = 52;
const notsup = 58;

fn writable(fd: u32) bool {
    return fd == 1 or fd == 2;
}

fn write(fd: u32, vectors: u32, count: u32, ret_written: u32) Error!u32 {
    const context = try calls.current();
    if (!writable(fd)) return badf;
    const vm = context.vm;
    var total: u32 = 0;
    var text: std.ArrayList(u8) = .empty;
    defer text.deinit(@import("arena.zig").gpa);
    for (0..count) |index| {
        // A vector's place is checked by the load, so a count that lies ends at the end of the memory.
        const at = vectors +| @as(u32, @intCast(index)) *| 8;
        const part = try vm.read(try vm.load32(at), try vm.load32(at +| 4));
        total = std.math.add(u32, total, @intCast(part.len)) catch return inval;
        if (text.items.len + part.len <= log.limit) try text.appendSlice(@import("arena.zig").gpa, part);
    }
    const line = if (std.mem.endsWith(u8, text.items, "\n")) text.items[0 .. text.items.len - 1] else text.items;
    if (text.items.len > 0) log.write(if (fd == 1) .info else .err, context.plugin_index, line);
    try vm.store32(ret_written, total);
    return success;
}

pub fn fd_write(fd: u32, vectors: u32, count: u32, ret_written: u32) Error!u32 {
    return write(fd, vectors, count, ret_written);
}

pub fn fd_pwrite(fd: u32, vectors: u32, count: u32, _: i64, ret_written: u32) Error!u32 {
    return write(fd, vectors, count, ret_written);
}

pub fn fd_read(_: u32, _: u32, _: u32, _: u32) Error!u32 {
    return nosys;
}

pub fn fd_pread(_: u32, _: u32, _: u32, _: i64, _: u32) Error!u32 {
    return nosys;
}

pub fn fd_seek(_: u32, _: i64, _: u32, _: u32) Error!u32 {
    return success;
}

pub fn fd_close(_: u32) Error!u32 {
    return success;
}

pub fn fd_fdstat_get(fd: u32, ret_stat: u32) Error!u32 {
    const context = try calls.current();
    if (!writable(fd)) return badf;
    try context.vm.store64(ret_stat, 0);
    try context.vm.store64(ret_stat +| 8, 64);
    try context.vm.store64(ret_stat +| 16, 0);
    return success;
}

pub fn fd_fdstat_set_flags(_: u32, _: u32) Error!u32 {
    return nosys;
}

pub fn fd_fdstat_set_rights(fd: u32, _: i64, _: i64) Error!u32 {
    return if (writable(fd)) success else badf;
}

pub fn fd_advise(_: u32, _: i64, _: i64, _: u32) Error!u32 {
    return success;
}

pub fn fd_allocate(fd: u32, _: i64, _: i64) Error!u32 {
    return if (writable(fd)) success else badf;
}

pub fn fd_datasync(fd: u32) Error!u32 {
    return if (writable(fd)) success else badf;
}

pub fn fd_sync(fd: u32) Error!u32 {
    return if (writable(fd)) success else badf;
}

pub fn fd_filestat_set_size(fd: u32, _: i64) Error!u32 {
    return if (writable(fd)) success else badf;
}

pub fn fd_filestat_set_times(fd: u32, _: i64, _: i64, _: u32) Error!u32 {
    return if (writable(fd)) success else badf;
}

pub fn fd_filestat_get(_: u32, _: u32) Error!u32 {
    return badf;
}

pub fn fd_prestat_get(_: u32, _: u32) Error!u32 {
    return badf;
}

pub fn fd_prestat_dir_name(_: u32, _: u32, _: u32) Error!u32 {
    return nosys;
}

pub fn fd_readdir(_: u32, _: u32, _: u32, _: i64, _: u32) Error!u32 {
    return 20;
}

pub fn fd_renumber(from: u32, to: u32) Error!u32 {
    return if (writable(from) and writable(to)) notsup else badf;
}

pub fn fd_tell(fd: u32, ret_offset: u32) Error!u32 {
    if (!writable(fd)) return badf;
    const context = try calls.current();
    try context.vm.store64(ret_offset, 0);
    return success;
}

pub fn environ_sizes_get(ret_count: u32, ret_size: u32) Error!u32 {
    const vm = (try calls.current()).vm;
    var size: u32 = 0;
    for (vm.environment) |variable| size += @intCast(variable.len + 1);
    try vm.store32(ret_count, @intCast(vm.environment.len));
    try vm.store32(ret_size, size);
    return success;
}

pub fn environ_get(ret_environ: u32, ret_buffer: u32) Error!u32 {
    const vm = (try calls.current()).vm;
    var at = ret_buffer;
    for (vm.environment, 0..) |variable, index| {
        try vm.store32(ret_environ +| @as(u32, @intCast(index)) *| 4, at);
        try vm.write(at, variable);
        at +|= @intCast(variable.len);
        try vm.write(at, "\x00");
        at +|= 1;
    }
    return success;
}

pub fn args_sizes_get(ret_count: u32, ret_size: u32) Error!u32 {
    const vm = (try calls.current()).vm;
    try vm.store32(ret_count, 0);
    try vm.store32(ret_size, 0);
    return success;
}

pub fn args_get(_: u32, _: u32) Error!u32 {
    return success;
}

pub fn clock_time_get(id: u32, _: i64, ret_time: u32) Error!u32 {
    const vm = (try calls.current()).vm;
    const now = switch (id) {
        0 => clock.wall(),
        1 => clock.monotonic(),
        else => return notsup,
    };
    try vm.store64(ret_time, now);
    return success;
}

pub fn clock_res_get(id: u32, ret_resolution: u32) Error!u32 {
    const vm = (try calls.current()).vm;
    if (id > 1) return notsup;
    try vm.store64(ret_resolution, 1);
    return success;
}

pub fn random_get(at: u32, length: u32) Error!u32 {
    const vm = (try calls.current()).vm;
    if (length > 65_536) return inval;
    if (length == 0) return success;
    const bytes = try worker.arena.take(length);
    clock.fill(bytes);
    try vm.write(at, bytes);
    return success;
}

pub fn sched_yield() Error!u32 {
    return success;
}

pub fn poll_oneoff(_: u32, _: u32, _: u32, ret_events: u32) Error!u32 {
    const vm = (try calls.current()).vm;
    try vm.store32(ret_events, 0);
    return success;
}

pub fn path_open(_: u32, _: u32, _: u32, _: u32, _: u32, _: i64, _: i64, _: u32, _: u32) Error!u32 {
    return noent;
}

pub fn path_filestat_get(_: u32, _: u32, _: u32, _: u32, _: u32) Error!u32 {
    return notsup;
}

pub fn path_create_directory(_: u32, _: u32, _: u32) Error!u32 {
    return notsup;
}

pub fn path_filestat_set_times(_: u32, _: u32, _: u32, _: u32, _: i64, _: i64, _: u32) Error!u32 {
    return notsup;
}

pub fn path_link(_: u32, _: u32, _: u32, _: u32, _: u32, _: u32) Error!u32 {
    return notsup;
}

pub fn path_readlink(_: u32, _: u32, _: u32, _: u32, _: u32, _: u32) Error!u32 {
    return notsup;
}

pub fn path_remove_directory(_: u32, _: u32, _: u32) Error!u32 {
    return notsup;
}

pub fn path_rename(_: u32, _: u32, _: u32, _: u32, _: u32, _: u32) Error!u32 {
    return notsup;
}

pub fn path_symlink(_: u32, _: u32, _: u32, _: u32) Error!u32 {
    return notsup;
}

pub fn path_unlink_file(_: u32, _: u32, _: u32) Error!u32 {
    return notsup;
}

pub fn sock_accept(_: u32, _: u32, _: u32) Error!u32 {
    return notsup;
}

pub fn sock_recv(_: u32, _: u32, _: u32, _: u32, _: u32, _: u32) Error!u32 {
    return notsup;
}

pub fn sock_send(_: u32, _: u32, _: u32, _: u32, _: u32) Error!u32 {
    return notsup;
}

pub fn sock_shutdown(_: u32, _: u32) Error!u32 {
    return notsup;
}
