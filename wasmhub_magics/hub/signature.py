"""Sign an image, and tell who signed it: in both forms of cosign, the older one and that of its version 3.

The older is an image under the tag ``sha256-DIGEST.sig``, the newer a Sigstore bundle that refers to the
image. No key of ours is ever looked up anywhere: a signature counts if it was made with a key that one names.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import HubError, ImageNotFound, NotAFilter, Untrusted
from .keys import PrivateKey, PublicKey, private_key, public_key
from .layout import CONFIG, Packed, manifest_of
from .manifest import Blob, Descriptor, Manifest
from .place import Place, opened
from .reference import Reference, parse_reference
from .statement import BUNDLE, IN_TOTO, envelope, pack_bundle, statement

__all__ = ["Signature", "attested", "require_signature", "sign", "sign_at", "signatures", "verify"]

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
NOTE = "dev.cosignproject.cosign/signature"
PREDICATE = "https://sigstore.dev/cosign/sign/v1"


@dataclass(frozen=True, slots=True)
class Signature:
    """A verified signature: its ``form`` (``classic`` or ``bundle``), the key's id, the signed digest."""

    form: str
    key_id: str
    digest: str


def sign(
    reference: str | Reference, key: str | Path | PrivateKey, *, key_password: str = "", **options: Any
) -> tuple[Signature, ...]:
    """Sign the image that a reference names now, in both forms; the options are those of ``pull``.

    Raises ImageNotFound and other HubErrors.
    """
    name, signer = parse_reference(reference), private_key(key, key_password)
    with opened(name, **options) as place:
        return sign_at(place, name, place.manifest(name).descriptor, signer)


def verify(
    reference: str | Reference, key: str | Path | PublicKey | Iterable[str | Path | PublicKey], **options: Any
) -> tuple[Signature, ...]:
    """The signatures of an image that one of the keys made. Raises Untrusted where there is none.

    The options are those of ``pull``. The digest in what is returned is the one that was signed: pull that.
    """
    name = parse_reference(reference)
    with opened(name, **options) as place:
        return require_signature(place, name, place.manifest(name).digest, public_keys(key))


def public_keys(key: str | Path | PublicKey | Iterable[str | Path | PublicKey]) -> tuple[PublicKey, ...]:
    """One key or several, read."""
    several = (key,) if isinstance(key, str | Path | PublicKey) else tuple(key)
    return tuple(public_key(each) for each in several)


def require_signature(
    place: Place, name: Reference, digest: str, keys: tuple[PublicKey, ...]
) -> tuple[Signature, ...]:
    """The signatures of a manifest that one of the keys made. Raises Untrusted where there is none."""
    found = tuple(signatures(place, name, digest, keys))
    if not found:
        signed = any(True for _ in _candidates(place, name, digest))
        ids = ", ".join(key.id[:16] for key in keys)
        raise Untrusted(
            "no signature of the image was made with a key that you trust"
            if signed
            else "the image is not signed",
            where=str(name.at(digest)),
            do=f"do not run it; ask its publisher to sign it (keys that count here: {ids})",
        )
    return found


def sign_at(place: Place, name: Reference, subject: Descriptor, key: PrivateKey) -> tuple[Signature, ...]:
    """Sign the manifest that a descriptor points to, in both forms."""
    digest = subject.digest
    have = {signature.form for signature in signatures(place, name, digest, (key.public,))}
    if "classic" not in have:
        place.write(_sig_tag(name, digest), _classic(place, name, digest, key))
    if "bundle" not in have:
        place.write(
            replace(name, tag="", digest=""), pack_bundle(statement(subject, PREDICATE, {}), subject, key)
        )
    return tuple(Signature(form, key.public.id, digest) for form in ("classic", "bundle"))


def signatures(
    place: Place, name: Reference, digest: str, keys: tuple[PublicKey, ...]
) -> Iterator[Signature]:
    """The signatures of a manifest that one of the keys made, the image itself not looked at."""
    for form, signed, payload, signature in _candidates(place, name, digest):
        key = next((key for key in keys if key.verifies(signature, signed)), None)
        if key is not None and _means(form, payload, digest):
            yield Signature(form, key.id, digest)


def attested(
    place: Place, name: Reference, digest: str, kind: str, keys: tuple[PublicKey, ...] = ()
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The statements of a type about a manifest, each with the id of the key that signed it ("" if none)."""
    about = replace(name, tag="", digest=digest)
    for descriptor in place.referrers(about, digest):
        if descriptor.artifact_type not in (BUNDLE, IN_TOTO):
            continue
        with contextlib.suppress(NotAFilter, HubError, ValueError, LookupError, TypeError):
            data = _only_layer(place, about, descriptor)
            signer = ""
            if descriptor.artifact_type == BUNDLE:
                signed, data, signature = _opened(data)
                signer = next((key.id for key in keys if key.verifies(signature, signed)), "")
            value = json.loads(data)
            if value["predicateType"] == kind and _is_about(value, digest):
                yield value, signer


def _candidates(place: Place, name: Reference, digest: str) -> Iterator[tuple[str, bytes, bytes, bytes]]:
    """Whatever could be a signature: form, the bytes that were signed, the payload in them, the signature."""
    tagged = _sig_tag(name, digest)
    with contextlib.suppress(ImageNotFound, NotAFilter):
        for layer in Manifest.parse(place.manifest(tagged), str(tagged)).layers:
            if layer.media_type == SIMPLE and NOTE in layer.annotations:
                with contextlib.suppress(ValueError, NotAFilter):
                    payload = place.blob(tagged, layer)
                    yield "classic", payload, payload, base64.b64decode(layer.annotations[NOTE])
    about = replace(name, tag="", digest=digest)
    for descriptor in place.referrers(about, digest, BUNDLE):
        with contextlib.suppress(NotAFilter, ImageNotFound, ValueError, LookupError, TypeError):
            signed, payload, signature = _opened(_only_layer(place, about, descriptor))
            yield "bundle", signed, payload, signature


def _means(form: str, payload: bytes, digest: str) -> bool:
    """Whether what was signed is that the manifest of this digest is signed."""
    try:
        value = json.loads(payload)
        if form == "classic":
            critical = value["critical"]
            return bool(
                critical["image"]["docker-manifest-digest"] == digest
                and critical["type"] == "cosign container image signature"
            )
        return value["predicateType"] == PREDICATE and _is_about(value, digest)
    except (ValueError, LookupError, TypeError, RecursionError):
        return False


def _is_about(value: Any, digest: str) -> bool:
    return any(f"sha256:{each['digest'].get('sha256')}" == digest for each in value["subject"])


def _opened(data: bytes) -> tuple[bytes, bytes, bytes]:
    """The bytes that a bundle's signature is over, its payload, and the signature."""
    wrapped = json.loads(data)["dsseEnvelope"]
    payload = base64.b64decode(wrapped["payload"])
    return (
        envelope(wrapped["payloadType"], payload),
        payload,
        base64.b64decode(wrapped["signatures"][0]["sig"]),
    )


def _only_layer(place: Place, about: Reference, descriptor: Descriptor) -> bytes:
    manifest = Manifest.parse(place.child(about, descriptor), str(about))
    return place.blob(about, manifest.layers[0])


def _classic(place: Place, name: Reference, digest: str, key: PrivateKey) -> Packed:
    """The image of cosign's older form, with the signatures that it has already."""
    tagged = _sig_tag(name, digest)
    layers: list[Descriptor] = []
    with contextlib.suppress(ImageNotFound, NotAFilter):
        layers += Manifest.parse(place.manifest(tagged), str(tagged)).layers
    value = {
        "critical": {
            "identity": {"docker-reference": str(replace(name, tag="", digest=""))},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    payload = Blob(SIMPLE, json.dumps(value, separators=(",", ":")).encode())
    signature = base64.b64encode(key.sign(payload.data)).decode()
    layers.append(replace(payload.descriptor, annotations={NOTE: signature}))
    settings = {
        "architecture": "",
        "os": "",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
    }
    config = Blob(CONFIG, json.dumps(settings).encode())
    return Packed((payload, config), manifest_of(config, layers, {}))


def _sig_tag(name: Reference, digest: str) -> Reference:
    return replace(name, tag=f"{digest.replace(':', '-')}.sig", digest="")
