"""A filter: the object that users hold, and the functions that make, find and deploy one."""

from __future__ import annotations

import html
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ModuleError, RequestError
from .filter_trials import Trials
from .http import Request
from .module import Module
from .plugin import Config, FailurePolicy, Limits, Plugin, encode_config
from .proxy import Cluster, Exchange, Proxy, State, Upstream, echo

if TYPE_CHECKING:
    from .build import Build, BuildOptions
    from .deploy import Deployment
    from .hub import Image, SearchResult
    from .inspection import Inspection

__all__ = ["Filter", "build", "deploy", "load", "pull", "search"]

HUB_OPTIONS = ("username", "password", "insecure", "tls_verify", "timeout")


class _Unset:
    """What stands for a configuration that is not named: None is a configuration too."""

    def __repr__(self) -> str:
        return "unchanged"


_UNSET = _Unset()


class _Session:
    """The embedded proxy that a filter keeps between sends, so that its VM keeps its state as in Envoy."""

    def __init__(self) -> None:
        self.proxy: Proxy | None = None

    def open(self, owner: Filter) -> Proxy:
        if self.proxy is None:
            self.proxy = Proxy([owner.plugin])
            weakref.finalize(owner, self.proxy.close)
        return self.proxy

    def close(self) -> None:
        if self.proxy is not None:
            self.proxy.close()
            self.proxy = None


@dataclass(frozen=True)
class Filter(Trials):
    """A filter that can be tried, measured, verified, published and deployed.

    ``plugin`` is its module with its configuration; ``built`` tells how the module came about and is None for
    a ready-made one; ``image`` is what it was pulled from, if it was.
    """

    plugin: Plugin
    built: Build | None = None
    image: Image | None = None
    _session: _Session = field(default_factory=_Session, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name it was given."""
        return self.plugin.name

    @property
    def module(self) -> Module:
        """The WebAssembly module."""
        return self.plugin.module

    @property
    def digest(self) -> str:
        """``sha256:`` and the hex digest of the module."""
        return self.module.digest

    @property
    def language(self) -> str:
        """The language it was built from; ``wasm`` for a ready-made module."""
        return "wasm" if self.built is None else self.built.language

    @property
    def source(self) -> str:
        """The source it was built from; empty for a ready-made module."""
        return "" if self.built is None else self.built.source

    def configure(
        self,
        config: Config | _Unset = _UNSET,
        *,
        vm_config: Config | _Unset = _UNSET,
        root_id: str | None = None,
        vm_id: str | None = None,
        env: Mapping[str, str] | None = None,
        failure_policy: FailurePolicy | None = None,
        allow_on_headers_stop_iteration: bool | None = None,
        reload_seconds: float | None = None,
        allowed_capabilities: Iterable[str] | None = None,
        limits: Limits | None = None,
    ) -> Filter:
        """A copy with these settings changed and a virtual machine of its own.

        ``config`` and ``vm_config`` are text, bytes, or a value that becomes JSON; ``allowed_capabilities``
        names the host functions and callbacks that the module may use, all others are refused it. Raises
        RequestError where a value cannot be used.
        """
        changes: dict[str, Any] = {
            "root_id": root_id,
            "vm_id": vm_id,
            "environment": None if env is None else tuple(env.items()),
            "failure_policy": failure_policy,
            "allow_on_headers_stop_iteration": allow_on_headers_stop_iteration,
            "reload_seconds": reload_seconds,
            "allowed_capabilities": None if allowed_capabilities is None else tuple(allowed_capabilities),
            "limits": limits,
            "configuration": None if isinstance(config, _Unset) else encode_config(config),
            "vm_configuration": None if isinstance(vm_config, _Unset) else encode_config(vm_config),
        }
        plugin = self.plugin.replace(**{k: v for k, v in changes.items() if v is not None})
        return replace(self, plugin=plugin)

    def send(
        self,
        request: Request | None = None,
        *,
        upstream: Upstream = echo,
        clusters: Mapping[str, Cluster] | None = None,
    ) -> Exchange:
        """Send one request through the filter in the embedded proxy and tell what it did.

        The virtual machine is started by the first send and kept for the next. ``clusters`` answer the
        filter's call-outs, as those of ``Proxy`` do. Raises StartError where the filter does not start.
        """
        return self._session.open(self).send(request or Request(), upstream=upstream, clusters=clusters)

    @property
    def state(self) -> State:
        """What the filter keeps outside of streams, in the virtual machine that ``send`` uses."""
        return self._session.open(self).state

    def restart(self) -> None:
        """Forget the virtual machine: the next send starts a new one."""
        self._session.close()

    def inspect(self, versions: Iterable[str] = (), *, measure: bool = True) -> Inspection:
        """Take the module apart and hold it against releases of Envoy (all known ones by default)."""
        from .inspection import inspect

        return inspect(self.plugin, versions, measure=measure)

    def push(self, reference: str = "", **options: Any) -> Image:
        """Publish the module as an OCI image: in a registry, or in the local store where none is named.

        Its source, toolchain and configuration travel with it, and what is passed: the fields of
        ``hub.About``; ``source=False`` keeps the source here. The other options are those of ``hub.push``.
        Raises HubError where the image cannot be moved.
        """
        from .publish import publish

        return publish(self.plugin, self.built, reference, **options)

    def deploy(self, target: str = "envoy", **options: Any) -> Deployment:
        """Put the filter to work in a proxy; see ``deploy``."""
        return deploy(self, target, **options)

    def export(
        self,
        directory: str | Path,
        exchanges: Iterable[Exchange] | Mapping[str, Any] | None = None,
        *,
        force: bool = False,
    ) -> Path:
        """Write a project that the language's own toolchain builds, with a test; ``load`` takes it back.

        The test expects what ``exchanges`` show (without them, what a GET of ``/`` does now) and holds the
        plugin's configuration. Raises BuildError for a ready-made module, and where the directory is in use.
        """
        from .project import export

        return export(self.plugin, self.built, Path(directory), exchanges, force=force)

    def save(self, path: str | Path) -> Path:
        """Write the module to a file. Raises NotAFilter where it is another than its image says."""
        _ = self.digest
        path = Path(path)
        path.write_bytes(self.module.data)
        return path

    def __repr__(self) -> str:
        notes = "".join(f"\n  note: {remark}" for remark in self._remarks())
        return f"<Filter {self.name}: {self._summary()}>{notes}"

    def _remarks(self) -> tuple[str, ...]:
        return self.image.remarks if self.image is not None else ()

    def _summary(self) -> str:
        parts = [self.language, f"{_size(self.module.size)}", f"ABI {self.module.abi}", self.digest[:19]]
        if self.built is not None:
            parts.append(self.built.how)
        return ", ".join(parts)

    def _repr_html_(self) -> str:
        warnings = (
            ""
            if self.built is None
            else "".join(
                f"<div>⚠ {f'line {d.line}: ' if d.line else ''}{html.escape(d.message)}</div>"
                for d in (each.for_source() for each in self.built.diagnostics)
            )
        )
        warnings += "".join(f"<div>⚠ {html.escape(remark)}</div>" for remark in self._remarks())
        return (
            f"<div><b>{html.escape(self.name)}</b> "
            f"<span style='opacity:.7'>{html.escape(self._summary())}</span>{warnings}</div>"
        )


def build(
    source: str,
    language: str = "python",
    name: str = "filter",
    *,
    options: BuildOptions | None = None,
    force: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Filter:
    """Build a filter from source text.

    Raises CompileError where the source has errors, ToolchainMissing where the compiler is not here, and
    LinkError where the module is nothing a proxy would load.
    """
    from .build import BuildOptions, build_module

    built = build_module(
        source, language, name, options=options or BuildOptions(), force=force, progress=progress
    )
    return Filter(Plugin(built.module, name=name), built)


def load(module: str | Path | bytes | bytearray, name: str = "") -> Filter:
    """Take a ready-made module, from a file or as bytes, or build the project in an exported directory.

    Raises ModuleError where it is nothing a proxy would load, and BuildError where a project does not build.
    """
    if isinstance(module, bytes | bytearray):
        data, title = bytes(module), name or "filter"
    else:
        path = Path(module)
        if path.is_dir():
            from .project import read

            plugin, built = read(path, name)
            return Filter(plugin, built)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModuleError(
                f"the module cannot be read: {error.strerror}", where=str(path), do="check the path"
            ) from None
        title = name or path.stem
    loaded = Module(data)
    loaded.check()
    return Filter(Plugin(loaded, name=title))


def pull(reference: str, name: str = "", **options: Any) -> Filter:
    """Fetch a filter from a registry or the local store. Raises HubError where it cannot be had."""
    from .hub import pull

    module, image = pull(reference, **options)
    return Filter(Plugin(module, name=name or image.name, root_id=image.root_id), image=image)


def search(text: str = "", **options: Any) -> SearchResult:
    """Find images in the local store, in registries and among the examples; see ``hub.search``."""
    from .hub import search
    from .publish import example_entries

    if text:  # without a word one wants a list of what there is of others
        options.setdefault("examples", example_entries(options.get("language", "")))
    return search(text, **options)


def deploy(what: Filter | Plugin | str, target: str = "envoy", **options: Any) -> Deployment:
    """Put a filter, or an image by its reference, to work in a proxy and tell where it serves.

    Raises DeployError where the target cannot take it; the filter that served before then goes on serving.
    """
    from .deploy import deploy

    if isinstance(what, str):
        from .deploy import CLUSTER_TARGETS

        if target in CLUSTER_TARGETS:
            options.setdefault("image", what)
        hub = {key: options[key] for key in HUB_OPTIONS if key in options}
        what = pull(what, **hub)
    if not isinstance(what, Filter | Plugin):
        raise RequestError(
            f"{type(what).__name__} cannot be deployed",
            do="pass a filter, a plugin or the reference of an image",
        )
    return deploy(what.plugin, target, **options)


def _size(count: int) -> str:
    return f"{count} B" if count < 1024 else f"{count / 1024:.1f} KB"
