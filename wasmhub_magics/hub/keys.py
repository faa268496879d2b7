"""Key pairs in the form that cosign writes and reads: ECDSA over P-256, the private half encrypted."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import HubError, RequestError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

__all__ = ["PrivateKey", "PublicKey", "generate_keys", "private_key", "public_key"]

_N, _R, _P = 65536, 8, 1
_BEGIN = ("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----", "-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----")


@dataclass(frozen=True)
class PublicKey:
    """The half that verifies; ``pem`` may be shown to anyone, ``id`` is the sha256 of its DER form."""

    pem: str
    id: str
    _key: EllipticCurvePublicKey = field(repr=False, compare=False)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether the private half signed the data."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        with contextlib.suppress(InvalidSignature):
            self._key.verify(signature, data, ECDSA(SHA256()))
            return True
        return False

    def __repr__(self) -> str:
        return f"<PublicKey {self.id[:16]}>"


@dataclass(frozen=True)
class PrivateKey:
    """The half that signs. Its repr shows the public half only."""

    public: PublicKey
    _key: EllipticCurvePrivateKey = field(repr=False, compare=False)

    def sign(self, data: bytes) -> bytes:
        """An ECDSA signature (DER) over the sha256 of the data."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        return self._key.sign(data, ECDSA(SHA256()))

    def __repr__(self) -> str:
        return f"<PrivateKey {self.public.id[:16]}>"


def generate_keys(prefix: str | Path = "wasmhub", password: str = "") -> tuple[Path, Path]:
    """Write a new pair to ``PREFIX.key`` (for the user alone) and ``PREFIX.pub``; gives both paths.

    ``$COSIGN_PASSWORD`` is the password where none is passed. Raises RequestError where a file is there
    already and HubError where it cannot be written.
    """
    _libraries()
    import nacl.secret
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    salt, nonce = os.urandom(32), os.urandom(24)
    box = nacl.secret.SecretBox(_derived(_password(password), salt, _N, _R, _P))
    text = json.dumps(
        {
            "kdf": {"name": "scrypt", "params": {"N": _N, "r": _R, "p": _P}, "salt": _b64(salt)},
            "cipher": {"name": "nacl/secretbox", "nonce": _b64(nonce)},
            "ciphertext": _b64(box.encrypt(der, nonce).ciphertext),
        }
    )
    body = base64.encodebytes(text.encode()).decode()
    private = f"{_BEGIN[0]}\n{body}{_BEGIN[0].replace('BEGIN', 'END')}\n"
    paths = Path(f"{prefix}.key"), Path(f"{prefix}.pub")
    for path, content, mode in zip(
        paths, (private, _public(key.public_key()).pem), (0o600, 0o644), strict=True
    ):
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
                file.write(content)
        except FileExistsError:
            raise RequestError(
                "there is a key already", where=str(path), do="use it, or choose another name"
            ) from None
        except OSError as error:
            raise HubError(
                f"the key cannot be written: {error.strerror}", where=str(path), do="choose another directory"
            ) from None
    return paths


def private_key(source: str | Path | PrivateKey, password: str = "") -> PrivateKey:
    """Read a private key from a file; ``$COSIGN_PASSWORD`` is the password where none is passed.

    Raises HubError where the file is no such key or the password is wrong.
    """
    if isinstance(source, PrivateKey):
        return source
    _libraries()
    import nacl.exceptions
    import nacl.secret
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    text = _read(source)
    lines = text.strip().splitlines()
    if not lines or lines[0] not in _BEGIN:
        raise HubError(
            "the file is no private key of cosign", where=str(source), do="make one: wasmhub hub keys"
        )
    try:
        value: Any = json.loads(base64.b64decode("".join(lines[1:-1])))
        params = value["kdf"]["params"]
        salt, nonce = base64.b64decode(value["kdf"]["salt"]), base64.b64decode(value["cipher"]["nonce"])
        derived = _derived(_password(password), salt, int(params["N"]), int(params["r"]), int(params["p"]))
        der = nacl.secret.SecretBox(derived).decrypt(base64.b64decode(value["ciphertext"]), nonce)
        key = load_der_private_key(der, None)
    except nacl.exceptions.CryptoError:
        raise HubError(
            "the password does not open the key", where=str(source), do="set COSIGN_PASSWORD, or pass it"
        ) from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise HubError("the key is damaged", where=str(source), do="take its copy, or make another") from None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise HubError("the key is not of ECDSA", where=str(source), do="make one: wasmhub hub keys")
    return PrivateKey(_public(key.public_key()), key)


def public_key(source: str | Path | PublicKey) -> PublicKey:
    """Read a public key: a PEM text, or the file that holds it. Raises HubError where it is none."""
    if isinstance(source, PublicKey):
        return source
    _libraries()
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    inline = isinstance(source, str) and "-----BEGIN" in source
    text = str(source) if inline else _read(source)
    try:
        key = load_pem_public_key(text.encode())
    except ValueError:
        key = None
    if not isinstance(key, EllipticCurvePublicKey):
        raise HubError(
            "this is no public key of cosign",
            where="the text" if inline else str(source),
            do="pass the .pub file of a pair",
        )
    return _public(key)


def _public(key: EllipticCurvePublicKey) -> PublicKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(pem, hashlib.sha256(der).hexdigest(), key)


def _derived(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    if n * r * p > 1 << 22:
        raise ValueError("the key asks for too much work")
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)


def _password(password: str) -> str:
    return password or os.environ.get("COSIGN_PASSWORD", "")


def _read(source: str | Path) -> str:
    try:
        return Path(source).expanduser().read_text()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise HubError(f"the key cannot be read: {reason}", where=str(source), do="check the path") from None


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _libraries() -> None:
    try:
        import cryptography  # noqa: F401
        import nacl  # noqa: F401
    except ImportError:
        raise HubError(
            "signatures need two libraries that are not here", do="pip install 'wasmhub-magics[trust]'"
        ) from None
