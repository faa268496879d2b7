"""What an image must have before it is run or deployed from here.

A policy is a TOML file, of which the first rule counts whose pattern fits the image::

    [[rule]]
    image = "registry.example.com/team/*"
    require = "signature"            # signature, digest, nothing, or never: the image is not to be used
    keys = ["team.pub"]              # beside the file, or a PEM text
    source = true                    # and provenance, signed too, must name the source that it carries

An image that no rule fits may be used; a last rule for ``*`` decides otherwise. Images of the local store
have the name ``local/REPOSITORY:TAG`` here, files on web servers their address.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import RequestError, Untrusted
from .keys import PublicKey, public_key
from .manifest import Manifest
from .notes import SOURCE_DIGEST
from .place import Place
from .reference import Reference
from .signature import Signature, attested, require_signature
from .statement import PROVENANCE

__all__ = ["Policy", "Rule", "load_policy"]

Demand = Literal["signature", "digest", "nothing", "never"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What images whose name fits a pattern (of ``fnmatch``) must have."""

    image: str
    require: Demand = "signature"
    keys: tuple[PublicKey, ...] = ()
    source: bool = False

    def __post_init__(self) -> None:
        if self.require not in get_args(Demand):
            raise RequestError(
                f"a policy cannot require {self.require!r}", do=f"use one of: {', '.join(get_args(Demand))}"
            )
        if not self.keys and (self.require == "signature" or self.source):
            raise RequestError(
                f"the rule for {self.image} wants a signature and names no key", do='add keys = ["team.pub"]'
            )


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in order; ``where`` is the file that they are from."""

    rules: tuple[Rule, ...] = ()
    where: str = ""

    def rule(self, reference: Reference) -> Rule | None:
        """The rule for an image; None where it may be used as it is."""
        name = f"local/{reference}" if reference.local else str(reference)
        return next((rule for rule in self.rules if fnmatchcase(name, rule.image)), None)

    def before(self, reference: Reference) -> None:
        """Raise Untrusted where nothing that an image could show would do."""
        rule = self.rule(reference)
        if rule is None:
            return
        if rule.require == "never":
            raise self._broken(
                "a policy forbids the image", reference, "take another one, or change the policy"
            )
        if rule.require == "digest" and not reference.digest:
            do = "name it with its digest, which %wasm_info shows as the manifest digest"
            raise self._broken("a policy wants the image pinned by its digest", reference, do)
        if reference.url and rule.require == "signature":
            do = "publish it as an image and sign that"
            raise self._broken("a policy wants a signature, which a plain file cannot have", reference, do)

    def check(
        self, place: Place, reference: Reference, digest: str, manifest: Manifest
    ) -> tuple[Signature, ...]:
        """The signatures that count. Raises Untrusted where the image, by its manifest, lacks something."""
        rule = self.rule(reference)
        if rule is None:
            return ()
        found: tuple[Signature, ...] = ()
        if rule.require == "signature":
            found = require_signature(place, reference, digest, rule.keys)
        if rule.source:
            source = manifest.annotations.get(SOURCE_DIGEST, "").partition(":")[2]
            told = (
                statement
                for statement, signer in attested(place, reference, digest, PROVENANCE, rule.keys)
                if signer
            )
            if not source or not any(_names(statement, source) for statement in told):
                do = "ask its publisher to push it with a key"
                raise self._broken("no signed provenance names the image's source", reference, do)
        return found

    def _broken(self, what: str, reference: Reference, do: str) -> Untrusted:
        by = f" ({self.where})" if self.where else ""
        return Untrusted(what, where=f"{reference}{by}", do=do)


def load_policy(path: str | Path | None = None) -> Policy:
    """The policy of a file: ``$WASMHUB_POLICY``, else ``~/.config/wasmhub/policy.toml`` (XDG), else none.

    Raises RequestError where the file that is named cannot be read or is no policy.
    """
    named = path or os.environ.get("WASMHUB_POLICY")
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser())
    file = Path(named).expanduser() if named else base / "wasmhub" / "policy.toml"
    try:
        value = tomllib.loads(file.read_text())
    except FileNotFoundError:
        if not named:
            return Policy()
        raise RequestError("there is no such policy", where=str(file), do="check WASMHUB_POLICY") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RequestError(f"the policy cannot be read: {reason}", where=str(file), do="correct it") from None
    try:
        return Policy(tuple(_rule(each, file.parent) for each in value.get("rule", [])), str(file))
    except (TypeError, AttributeError, KeyError) as error:
        raise RequestError(
            f"the policy cannot be read: {error}",
            where=str(file),
            do='write [[rule]] with image = "PATTERN" and require = "signature"',
        ) from None


def _rule(value: dict[str, Any], folder: Path) -> Rule:
    unknown = set(value) - {"image", "require", "keys", "source"}
    if unknown:
        raise KeyError(f"unknown word {sorted(unknown)[0]!r}")
    keys = tuple(
        public_key(each if "-----BEGIN" in each else folder / Path(each).expanduser())
        for each in value.get("keys", [])
    )
    return Rule(str(value["image"]), value.get("require", "signature"), keys, bool(value.get("source")))


def _names(statement: Any, source: str) -> bool:
    try:
        listed = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        return any(each["digest"].get("sha256") == source for each in listed)
    except (LookupError, TypeError, AttributeError):
        return False
