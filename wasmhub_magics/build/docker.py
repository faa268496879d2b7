"""Compile inside of a container, where there is Docker and no compiler."""

from __future__ import annotations

import contextlib
import io
import re
import tarfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..docker_client import connect, reason_of
from ..errors import BuildError, ToolchainMissing
from .job import JOB, RESULT, packed, unpacked
from .language import BuildOptions, Compiled, Language, Progress, Toolchain

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

__all__ = ["IMAGE", "InDocker", "builder", "connected"]

IMAGE = f"wasmhub-builder:{__version__}"
"""The image that ``wasmhub builder`` makes, and that builds use where they name none."""

CACHE = "wasmhub-builder-cache"
"""The volume in which compilers keep what they keep between builds."""


def builder(language: Language, where: str) -> Language:
    """The language as it is built there: ``docker`` or ``docker:IMAGE``; empty is this machine.

    A language that needs no compiler, such as Python, is built here all the same. Raises BuildError for
    anything else.
    """
    kind, _, image = where.partition(":")
    if where and kind != "docker":
        raise BuildError(f"there is no builder {where!r}", do="write docker or docker:IMAGE")
    return InDocker(language, image or IMAGE) if where and language.cacheable else language


class InDocker:
    """A language whose compiler is in an image."""

    cacheable = True

    def __init__(self, language: Language, image: str) -> None:
        self._inner = language
        self.image = image

    @property
    def name(self) -> str:
        """The language's name."""
        return self._inner.name

    @property
    def title(self) -> str:
        """How people write it."""
        return self._inner.title

    @property
    def aliases(self) -> Sequence[str]:
        """Its other names."""
        return self._inner.aliases

    @property
    def suffix(self) -> str:
        """The suffix of its source files."""
        return self._inner.suffix

    def detect(self) -> Toolchain:
        """The image, on this machine or fetched. Raises ToolchainMissing without Docker or the image."""
        with connected() as client:
            found = _image(client, self.image)
            return Toolchain("docker", f"{self.image} {_short(found)}")

    def fingerprint(self) -> str:
        """Nothing besides the image, which has the compiler and our part."""
        return ""

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        """Compile in a new container, which is removed whatever happens. Raises as the language does."""
        del workdir
        with connected() as client:
            command = ["python3", "-m", "wasmhub_magics.build", "/job"]
            container = client.containers.create(
                _image(client, self.image).id,
                command,
                entrypoint=[],
                environment={"WASMHUB_CACHE": "/cache", "PYTHONUNBUFFERED": "1"},
                volumes={CACHE: {"bind": "/cache", "mode": "rw"}},
                labels={"wasmhub": "builder"},
            )
            try:
                container.put_archive("/", _tar(f"job/{JOB}", packed(self.name, source, options)))
                return self._run(container, options.timeout, progress)
            finally:
                container.remove(force=True)

    def _run(self, container: Container, timeout: float, progress: Progress) -> Compiled:
        late = threading.Event()

        def end() -> None:
            late.set()
            with contextlib.suppress(Exception):  # it may just have ended by itself
                container.kill()

        timer = threading.Timer(timeout, end)
        timer.daemon = True
        timer.start()
        try:
            container.start()
            said = []
            lines = _lines(container)
            try:
                for line in lines:
                    said.append(line)
                    progress(line)
            except BaseException:
                container.kill()
                said += lines  # which ends now: what is left of it is read, so that the connection closes
                raise
            code = container.wait()["StatusCode"]
        except Exception as error:
            raise self._not_a_builder(str(getattr(error, "explanation", None) or error)) from None
        finally:
            timer.cancel()
        if late.is_set():
            raise BuildError(
                f"the build in {self.image} was ended: it took longer than {timeout:g} s",
                do="build something smaller or raise the timeout",
            )
        if code:
            raise self._not_a_builder(said[-1] if said else f"it ended with {code}")
        pieces, _ = container.get_archive(f"/job/{RESULT}")
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            file = archive.extractfile(RESULT)
            assert file is not None
            return unpacked(file.read())

    def _not_a_builder(self, why: str) -> BuildError:
        return BuildError(
            f"the image {self.image} cannot build: {why}", do="use one that wasmhub builder has made"
        )


@contextlib.contextmanager
def connected() -> Iterator[DockerClient]:
    """A connection to the daemon of ``DOCKER_HOST``, or the usual one. Raises ToolchainMissing."""
    client = connect(ToolchainMissing)
    try:
        yield client
    finally:
        client.close()


def _image(client: DockerClient, name: str) -> Image:
    from docker.errors import DockerException, ImageNotFound

    try:
        return client.images.get(name)
    except ImageNotFound:
        pass
    if name == IMAGE:
        raise ToolchainMissing(f"there is no image {name} yet", do="make it: wasmhub builder")
    try:
        return client.images.pull(name if re.search(r":[^/]+$|@", name) else f"{name}:latest")
    except (DockerException, OSError) as error:
        raise ToolchainMissing(
            f"there is no image {name}, and it cannot be fetched: {reason_of(error)}",
            do="check its name, or make one: wasmhub builder",
        ) from None


def _short(image: Any) -> str:
    return str(image.id).removeprefix("sha256:")[:12]


def _lines(container: Container) -> Iterator[str]:
    """What a container prints, line by line, until it ends."""
    rest = b""
    for piece in container.logs(stream=True, follow=True):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip() for line in whole if line.strip())
    if rest.strip():
        yield rest.decode("utf-8", "replace").rstrip()


def _tar(name: str, data: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        folder = tarfile.TarInfo(name.partition("/")[0])
        folder.type, folder.mode = tarfile.DIRTYPE, 0o777
        archive.addfile(folder)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), 0o644
        archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()
