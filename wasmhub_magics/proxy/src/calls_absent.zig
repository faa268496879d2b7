//! Host functions of module `env` that this proxy does not have. Each says so: to the filter by its
//! result, to the user by a warning.

const abi = @import("abi.zig");
const log = @import("log.zig");

const Error = abi.Error;

fn absent(comptime name: []const u8) Error {
    log.warn("{s} is not there in the embedded proxy: the filter got Unimplemented (12)", .{name});
    return error.Unimplemented;
}

pub fn envoy_resolve_dns(_: u32, _: u32, _: u32) Error!void {
    return absent("envoy_resolve_dns");
}
