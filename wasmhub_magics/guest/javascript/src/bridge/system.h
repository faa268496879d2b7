// What QuickJS imports besides.

static u8 preparing; // while the runtime is made there is no proxy

EXPORT(host_get_timezone_offset) u32 host_get_timezone_offset(u32 a, u32 b) { return 0; }
EXPORT(host_interrupt) u32 host_interrupt(void) { return 0; }
EXPORT(clock_time_get) u32 clock_time_get(u32 clock, u64 precision, u64 *time) {
    *time = 0;
    return preparing ? 0 : proxy_get_current_time_nanoseconds(time);
}
EXPORT(random_get) u32 random_get(u8 *bytes, u32 length) {
    if (!preparing)
        return proxy_random(bytes, length);
    __builtin_memset(bytes, 7, length);
    return 0;
}
enum { BAD_FILE = 8 };
EXPORT(fd_close) u32 fd_close(u32 file) { return BAD_FILE; }
EXPORT(fd_fdstat_get) u32 fd_fdstat_get(u32 file, u32 at) { return BAD_FILE; }
EXPORT(fd_seek) u32 fd_seek(u32 file, u64 offset, u32 whence, u32 *at) { return BAD_FILE; }
EXPORT(fd_write) u32 fd_write(u32 file, const u32 *vectors, u32 count, u32 *written) {
    *written = 0;
    for (u32 i = 0; i < count; i++) {
        if (vectors[2 * i + 1])
            proxy_log(file == 2 ? LOG_ERROR : LOG_INFO, (const u8 *)vectors[2 * i], vectors[2 * i + 1]);
        *written += vectors[2 * i + 1];
    }
    return 0;
}
