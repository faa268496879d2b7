"""``verify_signature`` and ``sign``: what BoringSSL does in Envoy, done by ``cryptography``.

Messages: ``envoy/source/extensions/common/wasm/ext/verify_signature.proto`` and ``sign.proto``.
"""

from __future__ import annotations

import contextlib
from typing import Any

from .wire import fields, length_delimited

__all__ = ["sign", "verify"]

OK, BAD_ARGUMENT = 0, 2
HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512")


def verify(argument: bytes) -> tuple[int, bytes]:
    """A WasmResult and a ``VerifySignatureResult``."""
    import cryptography.exceptions
    from cryptography.hazmat.primitives import serialization

    found = _arguments(argument, {1: "hash", 2: "der", 3: "signature", 4: "text", 5: "pem"})
    if found is None or bool(found["der"]) == bool(found["pem"]):
        return BAD_ARGUMENT, b""
    load: Any = serialization.load_der_public_key if found["der"] else serialization.load_pem_public_key
    try:
        key = load(found["der"] or found["pem"])
    except (ValueError, TypeError, cryptography.exceptions.UnsupportedAlgorithm):
        key = None
    name = found["hash"].decode("utf-8", "replace")
    scheme = _scheme(key, name) or "Failed to initialize digest verify."
    if isinstance(scheme, str):
        return OK, length_delimited(2, scheme.encode())
    try:
        key.verify(found["signature"], found["text"], *scheme)
    except cryptography.exceptions.InvalidSignature:
        return OK, length_delimited(2, b"Failed to verify digest. Error code: 0")
    return OK, b"\x08\x01"


def sign(argument: bytes) -> tuple[int, bytes]:
    """A WasmResult and a ``SignResult``."""
    import cryptography.exceptions
    from cryptography.hazmat.primitives import serialization

    found = _arguments(argument, {1: "hash", 2: "der", 3: "text", 4: "pem"})
    if found is None or bool(found["der"]) == bool(found["pem"]):
        return BAD_ARGUMENT, b""
    load: Any = serialization.load_der_private_key if found["der"] else serialization.load_pem_private_key
    key: Any = None
    if not found["der"] or _is_pkcs8(found["der"]):
        with contextlib.suppress(ValueError, TypeError, cryptography.exceptions.UnsupportedAlgorithm):
            key = load(found["der"] or found["pem"], password=None)
    scheme = _scheme(key, found["hash"].decode("utf-8", "replace"))
    if scheme is None:
        scheme = (
            "Invalid key type: private key required for signing operation."
            if key is None
            else "Invalid private key: key data is corrupted or malformed."
        )
    if isinstance(scheme, str):
        return OK, length_delimited(3, scheme.encode())
    return OK, b"\x08\x01" + length_delimited(2, key.sign(found["text"], *scheme))


def _arguments(data: bytes, names: dict[int, str]) -> dict[str, bytes] | None:
    found = dict.fromkeys(names.values(), b"")
    try:
        for number, value in fields(data):
            if number in names and isinstance(value, bytes):
                found[names[number]] = value
    except ValueError:
        return None
    return found


def _is_pkcs8(der: bytes) -> bool:
    """Whether a private key is in the one form that Envoy reads: version 0, then an algorithm."""
    head = 2 + (der[1] & 0x7F if len(der) > 1 and der[1] & 0x80 else 0)
    return der[head : head + 4] == b"\x02\x01\x00\x30"


def _scheme(key: Any, name: str) -> tuple[Any, ...] | str | None:
    """The further arguments of the key's operation, why there is no hash, or None for a key that has none."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    if name.lower() not in HASHES:
        return f"{name} is not supported."
    digest = getattr(hashes, name.upper())()
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return padding.PKCS1v15(), digest
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return (ec.ECDSA(digest),)
    return None
