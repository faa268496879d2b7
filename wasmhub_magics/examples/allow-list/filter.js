// IP and path allow list: "/health 10.0.0.0/8 192.168.1.7".
//
// x-forwarded-for counts, so let nobody but your own load balancer reach this proxy, or leave it out.

let paths, ranges;

function onConfigure(ctx) {
  const words = ctx.configuration.text().split(/\s+/).filter(Boolean);
  paths = words.filter((word) => word.startsWith("/"));
  ranges = words.filter((word) => !word.startsWith("/")).map((word) => {
    const [address, bits = 32] = word.split("/");
    const size = 2 ** (32 - bits);
    return [Math.floor(number(address) / size), size];
  });
  return ranges.every(([prefix]) => prefix >= 0);
}

function onRequestHeaders(ctx) {
  if (paths.includes(ctx.request.path.split("?")[0])) return;
  const client = (ctx.request.headers.get("x-forwarded-for") ?? "").split(",").at(-1).trim();
  const address = number(client || ctx.property("source.address").split(":")[0]);
  if (!ranges.some(([prefix, size]) => Math.floor(address / size) === prefix)) return ctx.respond(403, {}, "forbidden\n");
}

function number(address) {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address)?.slice(1).map(Number);
  return parts?.every((part) => part < 256) ? parts.reduce((sum, part) => sum * 256 + part) : NaN;
}
