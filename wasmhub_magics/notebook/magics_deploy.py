"""%wasm_deploy and its fellows: put filters to work, see how they do, go back, take them away."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.magic import magics_class

from ..errors import ImageNotFound, RequestError
from .arguments import argument, line_magic, magic_arguments, pairs_from, parse
from .errors import clean_errors
from .figures import deployed
from .group import Group
from .progress import Progress
from .session import SESSION

if TYPE_CHECKING:
    from ..deploy import Deployment, History, Plan
    from ..doctor import Report

__all__ = ["DeployMagics"]

Magic = TypeVar("Magic", bound=Callable[..., Any])
PLACE = ("context", "namespace", "kubeconfig")
PLAIN = (
    "upstream",
    "port",
    "path",
    "admin",
    "cluster",
    "image",
    "url",
    "phase",
    "priority",
    "side",
    "pull_secret",
    "wait",
    *PLACE,
)
FLAGS = ("adopt", "lossy", "pull_always", "bootstrap")


def place_arguments() -> Callable[[Magic], Magic]:
    """Declare what names a cluster, as kubectl has it."""

    def decorate(function: Magic) -> Magic:
        for declare in (
            argument("--context", metavar="NAME", help="kubeconfig context (default: the current one)"),
            argument("-n", "--namespace", metavar="NAME", help="namespace (default: that of the context)"),
            argument("--kubeconfig", metavar="FILE", help="kubeconfig file (default: as kubectl finds it)"),
        ):
            function = declare(function)
        return function

    return decorate


def intent_arguments() -> Callable[[Magic], Magic]:
    """Declare what a deployment shall be."""

    def decorate(function: Magic) -> Magic:
        for declare in (
            argument("--image", metavar="REF", help="image that the product fetches the filter from"),
            argument("--url", metavar="URL", help="address that the product fetches the module from"),
            argument(
                "--path", metavar="PATH", help="directory that another Envoy reads, or file of the module"
            ),
            argument("--admin", metavar="URL", help="admin interface of that Envoy"),
            argument("--cluster", metavar="NAME", help="cluster by which the proxy fetches it (snippet)"),
            argument("--bootstrap", action="store_true", help="a whole bootstrap (snippet)"),
            argument("--on", metavar="KIND/NAME", action="append", default=[], help="what it is attached to"),
            argument("--label", metavar="K=V", action="append", default=[], help="workloads with this label"),
            argument("--match-port", metavar="N", type=int, action="append", default=[], help="this port"),
            argument("--side", choices=("client", "server"), help="traffic from or to the workload only"),
            argument("--domain", metavar="HOST", action="append", default=[], help="this host name only"),
            argument("--phase", choices=("authn", "authz", "stats"), help="before the filters of this phase"),
            argument("--priority", metavar="N", type=int, help="higher comes first (default: 0)"),
            argument("--pull-secret", metavar="NAME", help="secret with the registry's login"),
            argument("--pull-always", action="store_true", help="ask the registry at each change"),
            argument("--host-env", metavar="NAME", action="append", default=[], help="variable of the proxy"),
            argument("--adopt", action="store_true", help="take over what somebody else owns"),
            argument("--lossy", action="store_true", help="go without what the target cannot say"),
        ):
            function = declare(function)
        return function

    return decorate


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
    @intent_arguments()
    @place_arguments()
    @line_magic
    @clean_errors
    def wasm_deploy(self, line: str) -> Deployment | Plan:
        """Put a filter to work in a proxy; one that serves under its name is swapped without a lost request.

        Examples::

            %wasm_deploy greeter --to envoy
            %wasm_deploy localhost:5000/demo/greeter:v1 --to envoy --upstream http://127.0.0.1:8000
            %wasm_deploy greeter --to istio --image registry.example.com/demo/greeter:v1 --label app=shop
            %wasm_deploy registry.example.com/demo/greeter:v1 --to envoy-gateway --on Gateway/eg -n shop
        """
        options = parse(self.wasm_deploy, line)
        given = _given(options)
        if options.dry_run:
            return self._plan(options.what, options.to, given)
        from ..filter import deploy

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
        return self._plan(options.what, options.to, _given(options))

    @magic_arguments()
    @argument("--to", default="", metavar="TARGET", help="all that is in a cluster's namespace for a target")
    @place_arguments()
    @line_magic
    @clean_errors
    def wasm_status(self, line: str) -> Any:
        """Tell what is deployed, where it serves, and what the proxy or the cluster says about it.

        Examples::

            %wasm_status
            %wasm_status --to istio -n shop
        """
        from ..deploy import status

        options = parse(self.wasm_status, line)
        return status(options.to, **_place(options))

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
        return history(options.name, options.to, **_place(options))

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
        return self._tell(rollback(options.name, options.version, options.to, **_place(options)))

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
        gone = undeploy(options.name, options.to, **_place(options))
        SESSION.history.forget(options.name, "deploy")
        return gone

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


def _place(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in PLACE if getattr(options, name)}


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The options that were written, under the names of ``deploy``."""
    found = {name: getattr(options, name, None) for name in PLAIN}
    found |= {name: getattr(options, name, None) or None for name in FLAGS}
    found |= {
        "on": tuple(options.on) or None,
        "labels": pairs_from(options.label, "--label") or None,
        "ports": tuple(options.match_port) or None,
        "domains": tuple(options.domain) or None,
        "host_env": tuple(options.host_env) or None,
    }
    return {name: value for name, value in found.items() if value is not None}
