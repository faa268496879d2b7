"""%wasm_envoy and %wasm_order: the Envoy on this machine, and one that somebody else runs, to be followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import magics_class

from ..errors import RequestError
from .arguments import argument, line_magic, magic_arguments, parse
from .errors import clean_errors
from .group import Group

if TYPE_CHECKING:
    from ..deploy import Adopted, LocalEnvoy, Status

__all__ = ["EnvoyMagics"]

ACTIONS = ("follow", "start", "stop", "adopt")


@magics_class
class EnvoyMagics(Group):
    """Magics of Envoys."""

    @magic_arguments()
    @argument("action", nargs="?", default="follow", metavar="ACTION", help=", ".join(ACTIONS))
    @argument("admin", nargs="?", default="", metavar="ADMIN", help="its admin interface (adopt)")
    @argument("--upstream", metavar="URL", help="who answers the requests (start; default: an echo)")
    @argument("--port", type=int, default=0, metavar="N", help="port on loopback (start)")
    @line_magic
    @clean_errors
    def wasm_envoy(self, line: str) -> Any:
        """Start, stop or follow the local Envoy, or follow one that somebody else runs.

        ``start`` lets it serve before there is a filter, or again with all that it had; ``stop`` ends it, and
        the filters remain for the next start. ``adopt`` looks at another by its admin interface and leaves it
        as it is, but for its log level. What is followed is shown anew each second.

        Examples::

            %wasm_envoy
            %wasm_envoy start --port 10000 --upstream http://127.0.0.1:8000
            %wasm_envoy stop
            %wasm_envoy adopt 127.0.0.1:9901
        """
        from ..deploy import Adopted, Status, local

        options = parse(self.wasm_envoy, line)
        if options.action not in ACTIONS:
            raise RequestError(f"{options.action!r} is no action", do=f"use one of: {', '.join(ACTIONS)}")
        if (options.action == "adopt") != bool(options.admin):
            raise RequestError(
                "the address of an admin interface goes with adopt", do="%wasm_envoy adopt 127.0.0.1:9901"
            )
        if options.action == "stop":
            return Status(local.stop())
        if options.action == "start":
            local.start(upstream=options.upstream, port=options.port)
        return self._followed(Adopted(options.admin) if options.admin else local)

    def _followed(self, envoy: LocalEnvoy | Adopted) -> Any:
        from .watch import EnvoyWatch

        return EnvoyWatch(envoy) if hasattr(self.shell, "kernel") else envoy.live()

    @magic_arguments()
    @argument("names", nargs="+", metavar="NAME", help="filters in the order in which requests meet them")
    @line_magic
    @clean_errors
    def wasm_order(self, line: str) -> Status:
        """Change the order in which requests meet the filters of the local Envoy; none is left out meanwhile.

        Example::

            %wasm_order auth greeter
        """
        from ..deploy import Status, local

        return Status(local.order(*parse(self.wasm_order, line).names))
