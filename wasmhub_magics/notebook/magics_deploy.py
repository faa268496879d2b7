"""%wasm_deploy, %wasm_status, %wasm_undeploy, %wasm_doctor: put filters to work, look after the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import magics_class

from ..errors import ImageNotFound, RequestError
from .arguments import argument, line_magic, magic_arguments, parse
from .errors import clean_errors
from .figures import deployed
from .group import Group
from .progress import Progress
from .session import SESSION

if TYPE_CHECKING:
    from ..deploy import Deployment
    from ..doctor import Report

__all__ = ["DeployMagics"]


@magics_class
class DeployMagics(Group):
    """Magics that serve filters."""

    @magic_arguments()
    @argument("what", metavar="NAME", help="name of a filter, or reference of an image")
    @argument("--to", default="envoy", metavar="TARGET", help="where to deploy (default: envoy)")
    @argument("--upstream", metavar="URL", help="who answers the requests")
    @argument("--port", type=int, metavar="N", help="port on loopback (default: a free one)")
    @line_magic
    @clean_errors
    def wasm_deploy(self, line: str) -> Deployment:
        """Put a filter to work in a proxy; one that serves under its name is swapped without a lost request.

        Examples::

            %wasm_deploy greeter --to envoy
            %wasm_deploy localhost:5000/demo/greeter:v1 --to envoy --upstream http://127.0.0.1:8000
        """
        from ..filter import deploy

        options = parse(self.wasm_deploy, line)
        given: dict[str, Any] = {"upstream": options.upstream, "port": options.port}
        given = {name: value for name, value in given.items() if value is not None}
        try:
            made = self.filter(options.what)
        except RequestError as unknown:
            try:
                return self._tell(deploy(options.what, options.to, **given))
            except ImageNotFound:
                if any(mark in options.what for mark in "/:@"):
                    raise
                raise unknown from None
        return self._tell(made.deploy(options.to, **given))

    def _tell(self, deployment: Deployment) -> Deployment:
        SESSION.history.measured(deployment.name, deployed(deployment))
        return deployment

    @magic_arguments()
    @line_magic
    @clean_errors
    def wasm_status(self, line: str) -> Any:
        """Tell what is deployed, where it serves, and what the proxy says about it."""
        from ..deploy import status

        parse(self.wasm_status, line)
        return status()

    @magic_arguments()
    @argument("name", help="name of the deployed filter")
    @line_magic
    @clean_errors
    def wasm_undeploy(self, line: str) -> Any:
        """Take a deployed filter out of service.

        Example::

            %wasm_undeploy greeter
        """
        from ..deploy import undeploy

        name = parse(self.wasm_undeploy, line).name
        gone = undeploy(name)
        SESSION.history.forget(name, "deploy")
        return gone

    @magic_arguments()
    @argument(
        "--warm",
        nargs="*",
        metavar="LANGUAGE",
        help="let compilers do now what they do once, so that no cell waits (default: all that are here)",
    )
    @line_magic
    @clean_errors
    def wasm_doctor(self, line: str) -> Report:
        """Tell which parts are on this machine, and the command that gets each missing one.

        Examples::

            %wasm_doctor
            %wasm_doctor --warm cpp rust
        """
        from ..doctor import doctor

        options = parse(self.wasm_doctor, line)
        settings = {name: getattr(self.settings, name) for name in self.settings.trait_names(config=True)}
        if options.warm is None:
            return doctor(settings=settings)
        with Progress("warming", self.settings.progress_after) as progress:
            return doctor(settings=settings, warm=options.warm, progress=progress)
