"""%wasm_deploy and its fellows: put filters to work, see how they do, go back, take them away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import magics_class

from ..errors import ImageNotFound, RequestError
from .arguments import argument, line_magic, magic_arguments, parse
from .canary import canary_arguments, rolled_out
from .deploy_arguments import given, intent_arguments, place, place_arguments
from .errors import clean_errors
from .figures import deployed
from .group import Group
from .progress import Progress
from .session import SESSION

if TYPE_CHECKING:
    from ..deploy import Deployment, History, Logs, Plan, Rollout
    from ..doctor import Report

__all__ = ["DeployMagics"]


@magics_class
class DeployMagics(Group):
    """Magics that serve filters."""

    @magic_arguments()
    @argument("what", metavar="NAME", help="name of a filter, or reference of an image")
    @argument("--to", default="envoy", metavar="TARGET", help="where to deploy (default: envoy)")
    @argument("--upstream", metavar="URL", help="who answers the requests (envoy)")
    @argument("--port", type=int, metavar="N", help="port on loopback (envoy; default: a free one)")
    @argument("--wait", type=float, metavar="S", help="seconds for the product to answer (default: 20)")
    @argument("--dry-run", action="store_true", help="show what would change, as %%wasm_diff does")
    @canary_arguments()
    @intent_arguments()
    @place_arguments()
    @line_magic
    @clean_errors
    def wasm_deploy(self, line: str) -> Deployment | Plan | Rollout:
        """Put a filter to work in a proxy; one that serves under its name is swapped without a lost request.

        With ``--canary`` a share of the requests meets the new version for a time: it is drawn how it does,
        and it is promoted or taken back by itself.

        Examples::

            %wasm_deploy greeter --to envoy
            %wasm_deploy greeter --canary 10% --seconds 60
            %wasm_deploy localhost:5000/demo/greeter:v1 --to envoy --upstream http://127.0.0.1:8000
            %wasm_deploy greeter --to istio --image registry.example.com/demo/greeter:v1 --label app=shop
            %wasm_deploy registry.example.com/demo/greeter:v1 --to envoy-gateway --on Gateway/eg -n shop
        """
        options = parse(self.wasm_deploy, line)
        said = given(options)
        if options.dry_run:
            return self._plan(options.what, options.to, said)
        if options.canary is not None:
            return rolled_out(self.filter(options.what), options, said)
        with Progress(f"deploy {options.what} to {options.to}", self.settings.progress_after) as progress:
            progress("checking it and putting it to work")
            return self._deployed(options.what, options.to, said)

    def _deployed(self, what: str, target: str, said: dict[str, Any]) -> Deployment:
        from ..filter import deploy

        try:
            made = self.filter(what)
        except RequestError as unknown:
            try:
                return self._tell(deploy(what, target, **said))
            except ImageNotFound:
                if any(mark in what for mark in "/:@"):
                    raise
                raise unknown from None
        return self._tell(made.deploy(target, **said))

    def _tell(self, deployment: Deployment) -> Deployment:
        SESSION.history.measured(deployment.name, deployed(deployment))
        return deployment

    @magic_arguments()
    @argument("what", metavar="NAME", help="name of a filter, or reference of an image")
    @argument("--to", required=True, metavar="TARGET", help="where it would be deployed")
    @intent_arguments()
    @place_arguments()
    @line_magic
    @clean_errors
    def wasm_diff(self, line: str) -> Plan:
        """Show what deploying would change and what the target cannot say; nothing is applied.

        Example::

            %wasm_diff greeter --to istio --image registry.example.com/demo/greeter:v2 -n shop
        """
        options = parse(self.wasm_diff, line)
        return self._plan(options.what, options.to, given(options))

    @magic_arguments()
    @argument("--to", default="", metavar="TARGET", help="all that is in a cluster's namespace for a target")
    @argument("--live", action="store_true", help="follow the local Envoy: counters, requests, log level")
    @place_arguments()
    @line_magic
    @clean_errors
    def wasm_status(self, line: str) -> Any:
        """Tell what is deployed, where it serves, and what the proxy or the cluster says about it.

        Examples::

            %wasm_status
            %wasm_status --live
            %wasm_status --to istio -n shop
        """
        from ..deploy import local, status

        options = parse(self.wasm_status, line)
        if options.live:
            from .watch import EnvoyWatch

            return EnvoyWatch(local) if hasattr(self.shell, "kernel") else local.live()
        return status(options.to, **place(options))

    @magic_arguments()
    @argument("name", help="name of the deployed filter")
    @argument("--to", default="", metavar="TARGET", help="where it is deployed, if in several places")
    @place_arguments()
    @line_magic
    @clean_errors
    def wasm_history(self, line: str) -> History:
        """List the versions of a deployed filter.

        Example::

            %wasm_history greeter
        """
        from ..deploy import history

        options = parse(self.wasm_history, line)
        return history(options.name, options.to, **place(options))

    @magic_arguments()
    @argument("name", help="name of the deployed filter")
    @argument("--version", type=int, metavar="N", help="version to go back to (default: the one before)")
    @argument("--to", default="", metavar="TARGET", help="where it is deployed, if in several places")
    @place_arguments()
    @line_magic
    @clean_errors
    def wasm_rollback(self, line: str) -> Deployment:
        """Bring an earlier version of a deployed filter back, as a new version.

        Examples::

            %wasm_rollback greeter
            %wasm_rollback greeter --version 3 --to istio -n shop
        """
        from ..deploy import rollback

        options = parse(self.wasm_rollback, line)
        return self._tell(rollback(options.name, options.version, options.to, **place(options)))

    @magic_arguments()
    @argument("name", help="name of the deployed filter")
    @argument("--to", default="", metavar="TARGET", help="where it is deployed, if in several places")
    @place_arguments()
    @line_magic
    @clean_errors
    def wasm_undeploy(self, line: str) -> Any:
        """Take a deployed filter out of service.

        Examples::

            %wasm_undeploy greeter
            %wasm_undeploy greeter --to istio -n shop
        """
        from ..deploy import undeploy

        options = parse(self.wasm_undeploy, line)
        gone = undeploy(options.name, options.to, **place(options))
        SESSION.history.forget(options.name, "deploy")
        return gone

    @magic_arguments()
    @argument("name", help="name of the deployed filter")
    @argument("--last", type=int, default=50, metavar="N", help="how many lines, of each proxy (default: 50)")
    @argument("--to", default="", metavar="TARGET", help="where it is deployed, if in several places")
    @place_arguments()
    @line_magic
    @clean_errors
    def wasm_logs(self, line: str) -> Logs:
        """Show what a deployed filter has logged.

        Examples::

            %wasm_logs greeter
            %wasm_logs greeter --to istio -n shop --last 200
        """
        from ..deploy import logs

        options = parse(self.wasm_logs, line)
        return logs(options.name, options.to, last=options.last, **place(options))

    @magic_arguments()
    @argument(
        "--warm",
        nargs="*",
        metavar="LANGUAGE",
        help="let compilers do now what they do once, so that no cell waits (default: all that are here)",
    )
    @argument(
        "--install",
        metavar="LANGUAGE",
        action="append",
        default=[],
        help="get the compiler of this language by pip, npm or rustup",
    )
    @line_magic
    @clean_errors
    def wasm_doctor(self, line: str) -> Report:
        """Tell which parts are on this machine, and the command that gets each missing one.

        Examples::

            %wasm_doctor
            %wasm_doctor --install zig
            %wasm_doctor --warm cpp rust
        """
        from ..doctor import doctor

        options = parse(self.wasm_doctor, line)
        settings = {name: getattr(self.settings, name) for name in self.settings.trait_names(config=True)}
        if options.warm is None and not options.install:
            return doctor(settings=settings)
        title = "installing" if options.install else "warming"
        with Progress(title, self.settings.progress_after) as progress:
            return doctor(settings, warm=options.warm, install=options.install, progress=progress)

    def _plan(self, what: str, target: str, given: dict[str, Any]) -> Plan:
        from ..deploy import plan
        from ..filter import pull

        try:
            made = self.filter(what)
        except RequestError as unknown:
            if not any(mark in what for mark in "/:@"):
                raise unknown from None
            made = pull(what)
            given.setdefault("image", what)
        return plan(made, target, **given)
