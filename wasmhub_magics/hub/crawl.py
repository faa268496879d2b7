"""Bring the local index up to date: from the local store, from registries."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import HubError, NotAFilter, RegistryUnreachable, Unauthorized
from .entry import Entry, about_files, entry_of, is_signed
from .folder import cannot
from .image import Image, describe
from .index import Index
from .layout import LAYOUTS
from .listing import index_names, is_card, listed
from .lock import locked
from .manifest import Descriptor, Manifest
from .place import Place
from .reference import Reference, parse_reference
from .store import CHANGES, Store, is_companion

if TYPE_CHECKING:
    from .registry import Registry

__all__ = ["Progress", "Source", "crawl", "read_store", "source_of"]

Progress: TypeAlias = Callable[[str], None]
WORKERS = 4
PEEKED = 16 << 20
"""Bytes of a layer that is fetched just to see whether a filter is in it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A registry, or a namespace in one, that is searched; its name is both."""

    host: str
    path: str = ""

    @property
    def name(self) -> str:
        """The registry and the namespace, as one writes them."""
        return f"{self.host}/{self.path}" if self.path else self.host


def source_of(text: str) -> Source:
    """Read ``REGISTRY[/NAMESPACE]``. Raises RequestError."""
    host, _, path = text.strip().removeprefix("oci://").rstrip("/").partition("/")
    parse_reference(f"{host if '.' in host or ':' in host else host + ':443'}/{path or 'x'}")
    return Source(host, path)


def read_store(index: Index, store: Store, whole: bool = False) -> tuple[HubError, ...]:
    """Read what changed in the local store, or with ``whole`` all of it; problems are what could not be read.

    The index then has it as the origin ``local``. What other tools put there is seen by a whole reading only.
    """
    changes = store.path / CHANGES
    if not store.path.is_dir():
        if store.path.exists():
            store.repositories()  # tells what is in the way
            cannot(NotADirectoryError(20, "Not a directory", str(store.path)), "read", store.path)
        index.keep("local", ())
        return ()
    cursor, _ = index.cursor("local")
    with _reading(store):
        status = changes.stat() if changes.exists() else None
        identity = f"{store.path}:{status.st_ino}" if status else ""
        known, _, offset = cursor.rpartition("@")
        if whole or not status or known != identity or int(offset) > status.st_size:
            names = store.repositories()
            index.keep_parts("local", names)
        elif int(offset) == status.st_size:
            return ()
        else:
            with changes.open() as file:
                file.seek(int(offset))
                names = tuple(dict.fromkeys(file.read().split("\n")[:-1]))
        problems: list[HubError] = []
        for name in names:
            found: list[tuple[str, Entry]] = []
            images = list(store.images_of(name))
            tags = {image.reference.tag for image in images if isinstance(image, Image)}
            for image in images:
                if isinstance(image, Image):
                    if is_related(image.reference.tag, tags):
                        continue
                    found.append((image.digest, _card(store, image, "local")))
                elif not _ordinary(image):
                    problems.append(image)
            index.replace("local", name, found)
        if status and not problems:  # those are told again
            index.set_cursor("local", f"{identity}@{status.st_size}")
    return tuple(problems)


def crawl(
    index: Index,
    sources: tuple[Source, ...],
    *,
    seconds: float = 30.0,
    whole: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> tuple[HubError, ...]:
    """Read registries, several at once; what failed, or was not done in time, is told and not lost.

    An image that has not changed is not read again unless ``whole``. ``options`` are those of a registry
    (``credential``, ``insecure``, ``tls_verify``, ``timeout``).
    """
    made = _Crawl(index.path, time.monotonic() + seconds, whole, progress or (lambda _: None), options)
    with ThreadPoolExecutor(WORKERS) as pool:
        return tuple(error for errors in pool.map(made.read, sources) for error in errors)


@dataclass(frozen=True)
class _Crawl:
    """One reading of several registries."""

    path: Path
    deadline: float
    whole: bool
    tell: Progress
    options: dict[str, Any]
    lock: threading.Lock = field(default_factory=threading.Lock)
    """The index is one thread's at a time."""

    def read(self, source: Source) -> list[HubError]:
        from .registry import Registry

        try:
            self.tell(f"asking {source.name}")
            with Registry(source.host, **self.options) as registry:
                names = _names(registry, source)
                if names is None or _is_index(registry, source, names):
                    return self.from_index(registry, source)
                return self.from_catalogue(registry, source, names)
        except HubError as error:
            return [error]

    def from_catalogue(self, registry: Registry, source: Source, names: tuple[str, ...]) -> list[HubError]:
        origin = source.name
        problems: list[HubError] = []
        with self.index() as index:
            known = {} if self.whole else index.cards(origin)
        for count, name in enumerate(names):
            self.tell(f"{origin}: repository {count + 1} of {len(names)}")
            if time.monotonic() > self.deadline:
                return [*problems, _late(origin, count, len(names))]
            found: list[tuple[str, Entry]] = []
            try:
                for image in _images(registry, source.host, name):
                    card = known.get(str(image.reference))
                    if card is None or card.digest != image.digest:
                        card = _card(registry, image, origin)
                    found.append((image.digest, card))
            except RegistryUnreachable:
                raise  # the rest would fail as well, after as long a wait
            except HubError as error:
                problems.append(error)
                continue
            with self.index() as index:
                index.replace(origin, name, found)
        with self.index() as index:
            index.keep_parts(origin, names)
            index.set_cursor(origin, "catalogue")
        return problems

    def from_index(self, registry: Registry, source: Source) -> list[HubError]:
        origin = source.name
        own = index_names(f"{source.path}/x" if source.path else "x")
        candidates = (source.path, *own) if source.path else own
        with self.index() as index:
            by_mark = {mark: ref for ref, mark in index.marks(origin).items()}
        kept: list[str] = []
        for name in candidates:
            for tag, entry in listed(registry, Reference(name, "", "", source.host), by_mark):
                if entry is None:
                    kept.append(by_mark[tag])
                    continue
                inside = not source.path or f"{entry.reference.repository}/".startswith(f"{source.path}/")
                if inside or name == source.path:
                    self.tell(f"{origin}: {entry.ref}")
                    with self.index() as index:
                        index.replace(origin, entry.ref, [(tag, replace(entry, origin=origin))])
                    kept.append(entry.ref)
            if kept:
                break
        with self.index() as index:
            index.keep(origin, kept)
            index.set_cursor(origin, "index")
        return [] if kept else [_nothing(source, candidates)]

    @contextlib.contextmanager
    def index(self) -> Iterator[Index]:
        """The index, for this thread alone."""
        with self.lock, Index(self.path) as index:
            yield index


def _names(registry: Registry, source: Source) -> tuple[str, ...] | None:
    """The repositories of a source; None where the registry does not list them to us."""
    try:
        names = registry.repositories()
    except Unauthorized:
        if registry.auth.credential is None:
            raise
        return None  # a login that may read images is often not allowed to list them
    if names is None or not source.path:
        return names
    return tuple(n for n in names if n == source.path or n.startswith(f"{source.path}/"))


def _is_index(registry: Registry, source: Source, names: tuple[str, ...]) -> bool:
    """Whether what was named is not a namespace but an index."""
    return names == (source.path,) and any(map(is_card, registry.tags(source.path)))


def _nothing(source: Source, candidates: tuple[str, ...]) -> HubError:
    return HubError(
        f"{source.host} lists no repositories, and there is no index at {' or '.join(candidates)}",
        where=source.name,
        do="push an image there, or name the namespace: REGISTRY/NAMESPACE",
    )


def _images(registry: Registry, host: str, repository: str) -> Iterator[Image]:
    tags = [tag for tag in registry.tags(repository) if not is_companion(tag)]
    for tag in tags:
        if is_related(tag, tags):
            continue
        reference = Reference(repository, tag, "", host)
        with contextlib.suppress(NotAFilter):
            blob = registry.manifest(reference)
            manifest = Manifest.parse(blob, str(reference))
            if manifest.layers and not manifest.annotations and _large(manifest):
                continue
            yield describe(registry, reference)


def is_related(tag: str, tags: Collection[str]) -> bool:
    """Whether a tag is that of a filter in another layout, which is listed once already."""
    base, _, layout = tag.rpartition("-")
    return layout in LAYOUTS and base in tags


def _large(manifest: Manifest) -> bool:
    """Whether finding out if an image without a word about itself is a filter would cost much."""
    return len(manifest.layers) > 2 or manifest.layers[-1].size > PEEKED


def _card(place: Place, image: Image, origin: str) -> Entry:
    about = image.about
    listed_here: tuple[Descriptor, ...] = ()
    with contextlib.suppress(HubError):
        listed_here = place.referrers(image.reference, image.digest)
        about = about.with_files(about_files(place, image.reference, listed_here, "README.md"))
    signed = is_signed(place, image.reference, image.digest, listed_here)
    return entry_of(image, origin, about, signed=signed)


@contextlib.contextmanager
def _reading(store: Store) -> Iterator[None]:
    """Keep writers away while the changes that they noted are read; a store that nobody wrote has no lock."""
    try:
        with locked(store.path, shared=True):
            yield
    except FileNotFoundError:
        yield


def _ordinary(error: HubError) -> bool:
    """Whether an image is just no filter: a served store may hold any image."""
    return isinstance(error, NotAFilter) and "damaged" not in error.what


def _late(origin: str, done: int, total: int) -> HubError:
    return HubError(
        f"{origin} is slow: {done} of {total} repositories were read in time",
        where=origin,
        do="search again with refresh, which goes on from there, or give it more seconds",
    )
