"""The part of a served store that takes blobs (OCI distribution specification 1.1, "Pushing blobs")."""

from __future__ import annotations

import re

from .exchange import Answer, Exchange
from .quota import check_quota
from .reference import parse_reference
from .staging import Staging
from .store import Store

__all__ = ["DIGEST", "Intake"]

DIGEST = r"sha256:[0-9a-f]{64}"


class Intake(Exchange):
    """What is sent goes into the staging area, where it waits for a manifest."""

    store: Store
    staging: Staging
    query: dict[str, str]

    def _post_start(self, name: str) -> None:
        self.store.folder(name)
        mount, source = self.query.get("mount", ""), self.query.get("from", "")
        if re.fullmatch(DIGEST, mount) and source:
            parse_reference(source)
            if self.staging.link(self.store.folder(source).blob_path(mount), mount):
                self._created(name, mount)
                return
        upload = self.staging.start()
        if "digest" in self.query:
            self._put_upload(name, upload)
            return
        self._going_on(name, upload, 0)

    def _get_upload(self, name: str, upload: str) -> None:
        self._going_on(name, upload, self._size(upload), 204)

    def _patch_upload(self, name: str, upload: str) -> None:
        self._check_start(upload)
        self._going_on(name, upload, self._append(upload))

    def _put_upload(self, name: str, upload: str) -> None:
        digest = self.query.get("digest", "")
        if not re.fullmatch(DIGEST, digest):
            raise Answer(400, "DIGEST_INVALID", f"{digest!r} is no digest of sha256")
        self._check_start(upload)
        self._append(upload)
        if not self.staging.finish(upload, digest):
            raise Answer(400, "DIGEST_INVALID", "the bytes that were sent are not those of the digest")
        self._created(name, digest)

    def _delete_upload(self, name: str, upload: str) -> None:
        del name
        self.staging.cancel(upload)
        self.send(204)

    def _append(self, upload: str) -> int:
        check_quota(self.store.path, self.store.quota, self.length())
        return self.staging.append(upload, self.pieces())

    def _check_start(self, upload: str) -> None:
        """Refuse bytes that leave a gap or come twice."""
        size = self._size(upload)
        start = self.headers.get("Content-Range", "").removeprefix("bytes").strip(" =").partition("-")[0]
        if start and start != str(size):
            raise Answer(416, "RANGE_INVALID", f"the next byte is {size}", Range=f"0-{max(size - 1, 0)}")

    def _size(self, upload: str) -> int:
        size = self.staging.size(upload)
        if size is None:
            raise Answer(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
        return size

    def _going_on(self, name: str, upload: str, size: int, status: int = 202) -> None:
        headers = {
            "Location": f"/v2/{name}/blobs/uploads/{upload}",
            "Range": f"0-{max(size - 1, 0)}",
            "Docker-Upload-UUID": upload,
        }
        self.send(status, headers=headers)

    def _created(self, name: str, digest: str) -> None:
        self.send(201, headers={"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest})
