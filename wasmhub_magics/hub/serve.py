"""Serve a store as a registry on loopback (OCI distribution specification 1.1), its modules as files too.

What the server takes lies in the same layouts as what ``push`` writes. An image becomes visible with its
manifest, all at once; until then its blobs are in the staging area.
"""

from __future__ import annotations

import errno
import http.server
import json
import re
import threading
from dataclasses import replace
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

from ..errors import HubError, ImageNotFound, NotAFilter, RequestError, StoreError, StoreFull
from .content import unpack
from .exchange import Answer
from .image import find
from .intake import DIGEST, Intake
from .manifest import ACCEPTED, INDEX, LARGEST_MANIFEST, Blob, Descriptor, Manifest
from .quota import check_quota
from .reference import Reference, parse_reference
from .staging import Staging
from .store import Store

__all__ = ["Server", "serve"]

_NAME = r"(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
_ROUTES = {
    "version": re.compile(r"/v2/?"),
    "catalog": re.compile(r"/v2/_catalog"),
    "tags": re.compile(rf"/v2/{_NAME}/tags/list"),
    "manifest": re.compile(rf"/v2/{_NAME}/manifests/(?P<ref>[^/]+)"),
    "referrers": re.compile(rf"/v2/{_NAME}/referrers/(?P<digest>{DIGEST})"),
    "start": re.compile(rf"/v2/{_NAME}/blobs/uploads/?"),
    "upload": re.compile(rf"/v2/{_NAME}/blobs/uploads/(?P<upload>[0-9a-f]{{32}})"),
    "blob": re.compile(rf"/v2/{_NAME}/blobs/(?P<digest>{DIGEST})"),
    "module": re.compile(rf"/wasm/{_NAME}/(?P<ref>[^/]+)\.wasm"),
}
_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}


class Server:
    """A store that is served until it is closed; ``address`` is its host and port."""

    def __init__(self, store: Store, port: int = 0) -> None:
        self.store = store

        class Bound(_Handler):
            pass

        Bound.store, Bound.staging = store, Staging(store.path)
        try:
            self._server = _Threads(("127.0.0.1", port), Bound)
        except OSError as error:
            raise StoreError(
                f"the store cannot be served: {error.strerror}",
                where=f"127.0.0.1:{port}",
                do="choose another port, or 0 for any that is free",
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it serves: what stands before the name of an image."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def module_url(self, reference: str | Reference) -> str:
        """The address of an image's module as a plain file, for Envoy's remote fetch."""
        name = parse_reference(reference)
        version = quote(name.digest or name.tag, safe="")
        return f"http://{self.address}/wasm/{name.repository}/{version}.wasm"

    def wait(self) -> None:
        """Serve until somebody closes it."""
        self._thread.join()

    def close(self) -> None:
        """Stop serving; requests that are answered just now end."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Server {self.address}: {self.store.path}>"


def serve(store: Store | None = None, *, port: int = 0) -> Server:
    """Serve the local store as a registry on this machine, to docker, skopeo, oras, cosign and to ``push``.

    It answers http on 127.0.0.1 until it is closed; port 0 is any free one. Each module is also a plain file:
    ``http://ADDRESS/wasm/REPOSITORY/TAG.wasm``. Raises StoreError where the port is taken.
    """
    return Server(store or Store(), port)


class _Threads(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that goes away in the middle is no event."""


class _Handler(Intake):
    """The distribution protocol over a store."""

    def do_GET(self) -> None:
        """Read."""
        self._answer()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _answer(self) -> None:
        try:
            self.guard()
            path = unquote(urlsplit(self.path).path)
            self.query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
            for route, pattern in _ROUTES.items():
                match = pattern.fullmatch(path)
                if match:
                    self._run(route, match.groupdict())
                    return
            raise Answer(404, "UNSUPPORTED", f"there is nothing at {path}")
        except Answer as answer:
            self.refuse(answer)
        except (ImageNotFound, NotAFilter) as error:
            self.refuse(Answer(404, "MANIFEST_UNKNOWN", error.what))
        except RequestError as error:
            self.refuse(Answer(400, "NAME_INVALID", error.what))
        except HubError as error:
            self.refuse(Answer(507 if isinstance(error, StoreFull) else 500, "DENIED", error.what))
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except OSError as error:
            status = 507 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 500
            self.refuse(Answer(status, "UNKNOWN", f"the store cannot be used: {error.strerror}"))

    def _run(self, route: str, given: dict[str, str]) -> None:
        verb = "get" if self.command == "HEAD" else self.command.lower()
        method = getattr(self, f"_{verb}_{route}", None)
        if method is None:
            raise Answer(405, "UNSUPPORTED", f"{self.command} cannot be done here")
        method(**given)

    def _get_version(self) -> None:
        self.send_json({}, **_VERSION)

    def _get_catalog(self) -> None:
        self._page("repositories", self.store.repositories(), {})

    def _get_tags(self, name: str) -> None:
        tags = self.store.tags(name)
        if not tags and not self.store.folder(name).entries():
            raise Answer(404, "NAME_UNKNOWN", f"there is no repository {name}")
        self._page("tags", tags, {"name": name})

    def _page(self, title: str, values: tuple[str, ...], value: dict[str, Any]) -> None:
        count, last = self.query.get("n", ""), self.query.get("last", "")
        values = tuple(sorted(each for each in values if each > last))
        shown = values[: int(count)] if count.isdecimal() and int(count) else values
        headers = {}
        if len(shown) < len(values):
            path = urlsplit(self.path).path
            headers["Link"] = f'<{path}?n={count}&last={quote(shown[-1], safe="")}>; rel="next"'
        self.send_json({**value, title: list(shown)}, **headers)

    def _get_manifest(self, name: str, ref: str) -> None:
        blob = self._manifest(name, ref)
        self.send(200, blob.data, blob.media_type, {"Docker-Content-Digest": blob.digest, **_VERSION})

    def _manifest(self, name: str, ref: str) -> Blob:
        if not re.fullmatch(DIGEST, ref):
            return self.store.manifest(Reference(name, ref))
        try:
            return self.store.manifest(Reference(name, "", ref))
        except ImageNotFound:
            path = self.store.folder(name).blob_path(ref)
            if not path.exists() or path.stat().st_size > LARGEST_MANIFEST:
                raise
            data = path.read_bytes()  # an image that an index names
            kind = _kind(data)
            if kind not in ACCEPTED:
                raise
            return Blob(kind, data)

    def _put_manifest(self, name: str, ref: str) -> None:
        data = self.body(LARGEST_MANIFEST)
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip() or _kind(data)
        blob = Blob(kind, data)
        tag = "" if re.fullmatch(DIGEST, ref) else ref
        if not tag and ref != blob.digest:
            raise Answer(400, "DIGEST_INVALID", "the manifest is not the one of that digest")
        parse_reference(f"{name}:{tag}" if tag else name)
        try:
            manifest = Manifest.parse(blob, name)
        except NotAFilter as error:
            raise Answer(400, "MANIFEST_INVALID", error.what) from None
        with self.store.writing(name) as folder:
            wanted = (*manifest.layers, *([manifest.config] if manifest.config else []), *manifest.children)
            new = sum(e.size for e in wanted if not folder.blob_path(e.digest).exists())
            check_quota(self.store.path, self.store.quota, len(data) + new - self._staged(wanted))
            for each in wanted:
                if not folder.link_blob(each.digest, self.staging.blob(each.digest)):
                    raise Answer(400, "MANIFEST_BLOB_UNKNOWN", f"{each.digest} was not sent")
            folder.put_blob(blob.digest, data)
            descriptor = blob.descriptor
            if manifest.subject:
                descriptor = replace(
                    descriptor, annotations=manifest.annotations, artifact_type=manifest.artifact_type
                )
            folder.add(descriptor, tag, manifest.subject.digest if manifest.subject else "")
        headers = {"Location": f"/v2/{name}/manifests/{blob.digest}", "Docker-Content-Digest": blob.digest}
        headers |= {"OCI-Subject": manifest.subject.digest} if manifest.subject else {}
        self.send(201, headers=headers)

    def _staged(self, wanted: tuple[Descriptor, ...]) -> int:
        return sum(each.size for each in wanted if self.staging.blob(each.digest).exists())

    def _delete_manifest(self, name: str, ref: str) -> None:
        digest = bool(re.fullmatch(DIGEST, ref))
        self.store.delete(Reference(name, "" if digest else ref, ref if digest else ""))
        self.send(202)

    def _get_referrers(self, name: str, digest: str) -> None:
        kind = self.query.get("artifactType", "")
        found = [each.to_dict() for each in self.store.referrers(Reference(name), digest, kind)]
        headers = {"OCI-Filters-Applied": "artifactType"} if kind else {}
        self.send_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": found}, INDEX, **headers)

    def _get_blob(self, name: str, digest: str) -> None:
        for path in (self.store.folder(name).blob_path(digest), self.staging.blob(digest)):
            if path.exists():
                headers = {"Docker-Content-Digest": digest, "ETag": f'"{digest}"'}
                self.send_file(path, "application/octet-stream", headers)
                return
        raise Answer(404, "BLOB_UNKNOWN", f"there is no blob {digest}")

    def _get_module(self, name: str, ref: str) -> None:
        digest = bool(re.fullmatch(DIGEST, ref))
        reference = Reference(name, "" if digest else ref, ref if digest else "")
        _, manifest = find(self.store, reference)
        content = unpack(
            manifest, lambda layer, work: self.store.read(reference, layer, work), str(reference)
        )
        self.send(200, content.data, "application/wasm")


def _kind(data: bytes) -> str:
    try:
        value = json.loads(data)
        return str(value.get("mediaType") or (INDEX if "manifests" in value else ACCEPTED[0]))
    except (ValueError, AttributeError, RecursionError):
        return ""
