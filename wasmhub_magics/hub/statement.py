"""Statements about an image (in-toto Statement v1): where it comes from, and what it is made of."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import RequestError
from .about import About
from .keys import PrivateKey
from .layout import EPOCH, Packed, manifest_of
from .manifest import EMPTY, Blob, Descriptor
from .notes import CREATED

__all__ = [
    "BUNDLE", "IN_TOTO", "PROVENANCE", "SPDX", "envelope", "pack_bundle", "pack_statement", "provenance",
    "sbom", "statement",
]  # fmt: skip

IN_TOTO = "application/vnd.in-toto+json"
SPDX = "application/spdx+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PROVENANCE = "https://slsa.dev/provenance/v1"
STATEMENT = "https://in-toto.io/Statement/v1"
BUILD_TYPE = "tag:wasmhub-magics,2026:cell"


def statement(subject: Descriptor, kind: str, predicate: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    """A statement about the manifest that a descriptor points to."""
    about: dict[str, Any] = {"digest": {"sha256": subject.digest.removeprefix("sha256:")}}
    about |= {"name": name} if name else {}
    return {"_type": STATEMENT, "subject": [about], "predicateType": kind, "predicate": dict(predicate)}


def provenance(about: About, module_digest: str, version: str) -> dict[str, Any]:
    """The predicate that ties a module to the source it was built from (SLSA provenance 1).

    It holds no time, so that the same build has the same provenance. ``version`` is this package's.
    """
    source = {
        "name": about.source_name or "cell",
        "digest": {"sha256": about.source_digest.partition(":")[2]},
    }
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"language": about.language, "flags": about.flags},
            "internalParameters": {"toolchain": about.toolchain},
            "resolvedDependencies": [source] if about.source_digest else [],
        },
        "runDetails": {
            "builder": {"id": "tag:wasmhub-magics,2026:builder", "version": {"wasmhub-magics": version}},
            "byproducts": [{"name": "module", "digest": {"sha256": module_digest.partition(":")[2]}}],
        },
    }


def sbom(about: About, module_digest: str, packages: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What a module is made of (SPDX 2.3): itself, its toolchain, and (name, version) of each package."""
    name = about.title or "filter"
    parts = [(name, about.version or "NOASSERTION", about.licenses or "NOASSERTION"),
             *((title, version, "NOASSERTION") for title, version in packages)]  # fmt: skip
    listed = [
        {
            "SPDXID": f"SPDXRef-{number}",
            "name": title,
            "versionInfo": version,
            "downloadLocation": "NOASSERTION",
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": licence,
        }
        for number, (title, version, licence) in enumerate(parts)
    ]
    digest = module_digest.partition(":")[2]
    listed[0]["checksums"] = [{"algorithm": "SHA256", "checksumValue": digest}]  # type: ignore[assignment]
    contains = [
        {"spdxElementId": "SPDXRef-0", "relationshipType": "CONTAINS", "relatedSpdxElement": f"SPDXRef-{n}"}
        for n in range(1, len(parts))
    ]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"tag:wasmhub-magics,2026:spdx/{digest}",
        "creationInfo": {
            "created": about.annotations.get(CREATED, EPOCH),
            "creators": ["Tool: wasmhub-magics", *([f"Tool: {about.toolchain}"] if about.toolchain else [])],
        },
        "packages": listed,
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-0",
            },
            *contains,
        ],
    }


def pack_statement(value: Mapping[str, Any], subject: Descriptor, kind: str, title: str) -> Packed:
    """An artifact of one JSON file about an image, unsigned."""
    blob, empty = Blob(kind, _json(value)), Blob(EMPTY, b"{}")
    manifest = manifest_of(empty, [blob.descriptor.titled(title)], {}, artifact_type=kind, subject=subject)
    return Packed((blob, empty), manifest, subject, kind)


def pack_bundle(value: Mapping[str, Any], subject: Descriptor, key: PrivateKey) -> Packed:
    """An artifact that holds a signed statement as a Sigstore bundle, as cosign 3 writes and reads it."""
    payload = _json(value)
    signature = key.sign(envelope(IN_TOTO, payload))
    bundle = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": _b64(bytes.fromhex(key.public.id))}},
        "dsseEnvelope": {
            "payload": _b64(payload),
            "payloadType": IN_TOTO,
            "signatures": [{"sig": _b64(signature)}],
        },
    }
    notes = {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": str(value["predicateType"]),
    }
    blob, empty = Blob(BUNDLE, _json(bundle)), Blob(EMPTY, b"{}")
    manifest = manifest_of(empty, [blob.descriptor], notes, artifact_type=BUNDLE, subject=subject)
    return Packed((blob, empty), manifest, subject, BUNDLE, notes)


def envelope(kind: str, payload: bytes) -> bytes:
    """What is signed of a payload (DSSE 1.0, pre-authentication encoding)."""
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def _json(value: object) -> bytes:
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise RequestError(f"a statement has no JSON form: {error}", do="pass JSON values") from None


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
