"""The console script ``wasmhub``: what the magics do, for a shell and for CI."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__
from .cli_build import add_build_commands, build_options
from .cli_builder import add_builder_command
from .cli_hub import add_hub_commands
from .curl import add_request_arguments, request_from
from .errors import RequestError, WasmhubError

if TYPE_CHECKING:
    from .filter import Filter
    from .proxy import Cluster

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed or differences found, 2 wrong usage."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except WasmhubError as error:
        print(f"wasmhub: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("wasmhub: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output has enough; the interpreter flushes it once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"\n  where: {error.filename}" if error.filename else ""
        print(f"wasmhub: {error.strerror or error}{where}", file=sys.stderr)
        return 1
    return status


def _terminate(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wasmhub", description="Write, try, measure, publish and deploy filters for the Envoy proxy."
    )
    parser.add_argument("--version", action="version", version=f"wasmhub {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    add_build_commands(commands, _filter)

    send = commands.add_parser("send", help="send one request through a filter; request flags as for curl")
    _source(send)
    _settings(send)
    _engine(send)
    _clusters(send)
    add_request_arguments(send)
    send.set_defaults(run=_send)

    bench = commands.add_parser("bench", help="measure what a filter costs")
    _source(bench)
    _settings(bench)
    _engine(bench)
    bench.add_argument("--rate", type=int, help="requests a second (envoy engine)")
    bench.add_argument("--seconds", type=float, help="how long to measure")
    bench.add_argument("--output", metavar="FILE", help="write the report (JSON; .csv, .hgrm)")
    bench.add_argument(
        "--guard", metavar="FILE", help="report of before; exit status 1 where fuel or memory have grown"
    )
    bench.add_argument(
        "--max-fuel", type=float, default=0.0, metavar="SHARE", help="fuel may grow by: 0.02 is 2 %%"
    )
    bench.add_argument("--max-memory", type=int, default=0, metavar="BYTES", help="memory may grow by")
    bench.add_argument("--max-latency", type=float, metavar="X", help="latency ratio may grow to X times")
    add_request_arguments(bench)
    bench.set_defaults(run=_bench)

    verify = commands.add_parser("verify", help="compare the embedded proxy with the real Envoy")
    _source(verify)
    _settings(verify)
    _clusters(verify)
    add_request_arguments(verify)
    verify.set_defaults(run=_verify)

    inspect = commands.add_parser("inspect", help="tell what a module is and wants, and which Envoy takes it")
    _source(inspect)
    inspect.add_argument(
        "--envoy",
        metavar="VERSION",
        action="append",
        default=[],
        help="a release, such as 1.37 (default: all)",
    )
    inspect.set_defaults(run=_inspect)

    test = commands.add_parser("test", help="run the cases of a suite; exit status 1 where one fails")
    test.add_argument("suite", metavar="SUITE", help="YAML or CSV file with cases")
    test.add_argument(
        "filter", nargs="?", metavar="FILTER", help="source, .wasm or image (default: the suite's)"
    )
    test.add_argument("--lang", help="language of the source (default: by the file's ending)")
    test.add_argument("--name", default="", help="name of the filter (default: the file's name)")
    _settings(test)
    _engine(test)
    test.add_argument("--junit", metavar="FILE", help="write the results as JUnit XML")
    test.set_defaults(run=_test)

    add_hub_commands(commands, _filter)

    deploy = commands.add_parser("deploy", help="serve a filter until interrupted")
    _source(deploy)
    _settings(deploy)
    deploy.add_argument("--to", default="envoy", metavar="TARGET", help="where to deploy (envoy)")
    deploy.add_argument("--upstream", metavar="URL", help="who answers the requests")
    deploy.add_argument("--port", type=int, help="port on loopback (default: a free one)")
    deploy.set_defaults(run=_deploy)

    add_builder_command(commands)

    doctor = commands.add_parser("doctor", help="tell which parts are here and how to get the others")
    doctor.add_argument(
        "--warm",
        nargs="*",
        metavar="LANG",
        help="let compilers do now what they do once (default: all that are here)",
    )
    doctor.add_argument(
        "--install",
        metavar="LANG",
        action="append",
        default=[],
        help="get the compiler of this language by pip, npm or rustup",
    )
    doctor.set_defaults(run=_doctor)
    return parser


def _source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "filter", metavar="FILTER", help="source file, .wasm file, exported project, or reference of an image"
    )
    parser.add_argument("--lang", help="language of the source (default: by the file's ending)")
    parser.add_argument("--name", default="", help="name of the filter (default: the file's name)")
    parser.add_argument("--builder", metavar="docker[:IMAGE]", default="", help="compile in a container")


def _settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="TEXT", help="plugin configuration; @FILE reads a file")
    parser.add_argument("--root-id", help="root id of the plugin")
    parser.add_argument(
        "--failure-policy", choices=["closed", "open", "reload"], help="what a failed filter does to requests"
    )


def _engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", choices=["embedded", "envoy"], default="embedded", help="which proxy (default: embedded)"
    )


def _clusters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cluster", metavar="NAME=WHO", action="append", default=[],
        help="who answers calls to a cluster: http://HOST:PORT, a status, refused, closed, broken or silent",
    )  # fmt: skip


def _clusters_of(options: argparse.Namespace) -> dict[str, Cluster]:
    from .proxy.cluster import cluster_from

    found: dict[str, Cluster] = {}
    for text in options.cluster:
        name, equals, who = text.partition("=")
        if not equals or not name:
            raise RequestError(f"--cluster {text!r} is not NAME=WHO", do="write --cluster auth=200")
        found[name] = cluster_from(name, who)
    return found


def _filter(options: argparse.Namespace) -> Filter:
    from .build import language_of, read_source
    from .filter import build, load, pull

    path = Path(options.filter)
    name = options.name or path.stem
    if path.is_dir():
        return load(path, options.name)
    if not path.is_file():
        if path.suffix or options.lang:
            raise RequestError("there is no such file", where=str(path), do="check the path")
        return pull(options.filter, name=options.name)
    if path.suffix == ".wasm":
        return load(path, name)
    language = options.lang or language_of(path)
    return build(
        read_source(path),
        language,
        name,
        options=build_options(options),
        force=getattr(options, "force", False),
    )


def _configured(options: argparse.Namespace) -> Filter:
    made = _filter(options)
    config = options.config
    if config is not None and config.startswith("@"):
        try:
            config = Path(config[1:]).read_bytes()
        except OSError as error:
            raise RequestError(
                f"the configuration cannot be read: {error.strerror}", where=config[1:]
            ) from None
    if config is not None:
        made = made.configure(config)
    return made.configure(root_id=options.root_id, failure_policy=options.failure_policy)


def _send(options: argparse.Namespace) -> int:
    made, request = _configured(options), request_from(options)
    if options.engine == "envoy":
        from .envoy import EnvoyProxy

        with EnvoyProxy([made.plugin], clusters=_clusters_of(options)) as proxy:
            exchange = proxy.send(request)
    else:
        exchange = made.send(request, clusters=_clusters_of(options))
    print(exchange)
    return 0 if exchange.response is not None else 1


def _bench(options: argparse.Namespace) -> int:
    given = {"rate": options.rate, "seconds": options.seconds}
    report = _configured(options).bench(
        request_from(options),
        engine=options.engine,
        **{name: value for name, value in given.items() if value is not None},
    )
    print(report)
    if options.output:
        report.save(options.output)
    if not options.guard:
        return 0
    from .latency import Guard, read_report

    guard = Guard(options.max_fuel, options.max_memory, options.max_latency)
    found = guard.violations(report, read_report(options.guard))
    print("\n".join(f"guard: {each}" for each in found) or "guard: nothing has grown beyond its bound")
    return 1 if found else 0


def _verify(options: argparse.Namespace) -> int:
    asked = bool(options.words or options.header or options.data)
    asked_for = [request_from(options)] if asked else None
    report = _configured(options).verify(asked_for, clusters=_clusters_of(options))
    print(report)
    return 0 if report.agrees else 1


def _inspect(options: argparse.Namespace) -> int:
    from .inspection import inspect
    from .module import Module
    from .plugin import Plugin

    path = Path(options.filter)
    if path.suffix == ".wasm":  # also one that no proxy would load
        plugin = Plugin(Module.read(path), name=options.name or path.stem)
    else:
        plugin = _filter(options).plugin
    report = inspect(plugin, options.envoy)
    print(report)
    return 0 if all(report.loads.values()) else 1


def _test(options: argparse.Namespace) -> int:
    from .testing import read_suite

    suite = read_suite(options.suite)
    if options.filter is None:
        if not suite.filter:
            raise RequestError(
                "the suite names no filter", where=options.suite, do="write filter: FILE in it, or pass one"
            )
        beside = Path(options.suite).parent / suite.filter
        options.filter = str(beside) if beside.exists() else suite.filter
    made = _configured(options)
    results = made.check(suite, engine=options.engine)
    print(results)
    if options.junit:
        Path(options.junit).write_text(results.junit(made.name), encoding="utf-8")
    return 0 if results.passed else 1


def _deploy(options: argparse.Namespace) -> int:
    from .deploy import undeploy

    given = {"upstream": options.upstream, "port": options.port}
    made = _configured(options)
    deployment = made.deploy(options.to, **{k: v for k, v in given.items() if v is not None})
    try:
        print(deployment, flush=True)
        print("serving until interrupted", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        print(f"taking {made.name} down", file=sys.stderr)
    finally:
        undeploy(deployment.name)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from .doctor import doctor

    print(
        doctor(warm=options.warm, install=options.install, progress=lambda step: print(step, file=sys.stderr))
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
