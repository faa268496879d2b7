"""What the magics of deployments have in common: a place, and what a deployment shall be."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from .arguments import Magic, argument, pairs_from

__all__ = ["given", "intent_arguments", "place", "place_arguments"]

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
            argument("--path", metavar="PATH", help="what another Envoy reads, or file of the module"),
            argument("--admin", metavar="URL", help="admin interface of that Envoy"),
            argument("--listener", metavar="NAME", action="append", default=[], help="in this listener only"),
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


def place(options: argparse.Namespace) -> dict[str, Any]:
    """The cluster that was named, under the names of ``deploy``."""
    return {name: getattr(options, name) for name in PLACE if getattr(options, name)}


def given(options: argparse.Namespace) -> dict[str, Any]:
    """The options that were written, under the names of ``deploy``."""
    found = {name: getattr(options, name, None) for name in PLAIN}
    found |= {name: getattr(options, name, None) or None for name in FLAGS}
    found |= {
        "on": tuple(options.on) or None,
        "labels": pairs_from(options.label, "--label") or None,
        "ports": tuple(options.match_port) or None,
        "domains": tuple(options.domain) or None,
        "listeners": tuple(options.listener) or None,
        "host_env": tuple(options.host_env) or None,
    }
    return {name: value for name, value in found.items() if value is not None}
