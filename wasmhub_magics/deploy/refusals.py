"""What a cluster's refusals mean, in plain words."""

from __future__ import annotations

import re
from typing import Any

from ..errors import Conflict, DeployError, Forbidden, Refused

__all__ = ["refusal"]

_WEBHOOK = re.compile(r'admission webhook "([^"]+)" denied the request: ?(.*)', re.DOTALL)
_UNREACHED = re.compile(r'failed calling webhook "([^"]+)"', re.DOTALL)
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)'.*denied request: (.*)", re.DOTALL)
_UNKNOWN = re.compile(r"(\.[\w.\[\]=\"-]+): field not declared in schema")
_OWNER = re.compile(r'conflict with "([^"]+)"')


def refusal(status: int, said: dict[str, Any], raw: bytes, *, doing: str, place: str) -> DeployError:
    """The error for an answer that is not a success; ``said`` is the API's ``Status``, if it is one."""
    message = str(said.get("message", "")) or raw.decode("utf-8", "replace").strip()[:300] or f"HTTP {status}"
    reason = str(said.get("reason", ""))
    where = f"{doing} in {place}"
    if status == 401:
        return Forbidden(
            "the cluster does not know who you are (401)",
            where=where,
            do="log in again, or name another context: the token or certificate is wrong or has expired",
        )
    if found := _WEBHOOK.search(message):
        webhook, why = found.groups()
        return Refused(
            f"the admission webhook {webhook} refused it: {why.strip() or 'it gave no reason'}",
            where=where,
            do="change what it objects to, or ask who runs the webhook",
        )
    if found := _UNREACHED.search(message):
        return Refused(
            f"the admission webhook {found[1]} does not answer, so the cluster takes nothing: {message}",
            where=where,
            do="ask who runs the webhook; nothing was changed",
        )
    if found := _POLICY.search(message):
        return Refused(f"the admission policy {found[1]} refused it: {found[2].strip()}", where=where)
    if status == 403 and "is being terminated" in message:
        return Refused(
            "the namespace is being deleted and takes nothing new", where=where, do="choose another"
        )
    if status == 403:
        return Forbidden(
            f"the login may not do that: {message}",
            where=where,
            do="ask for the right (kubectl auth can-i shows it), or name another context",
        )
    if status == 409 and reason == "Conflict":
        return _conflict(said, message, where)
    if status == 404:
        return DeployError(f"the cluster has no such thing: {message}", where=where, do="check the names")
    if found := _UNKNOWN.search(message):
        return Refused(
            f"the cluster's schema has no field {found[1]}: its version of the product is older",
            where=where,
            do="leave that setting out, or update the product's custom resource definitions",
        )
    if status in (400, 422, 500) and (reason in ("Invalid", "BadRequest") or "typed patch" in message):
        return Refused(f"the cluster's schema refuses it: {_causes(said) or message}", where=where)
    if status == 429 or status >= 500:
        return DeployError(
            f"the cluster failed ({status}): {message}", where=where, do="try again; look at its state first"
        )
    return Refused(f"the cluster refused it ({status}): {message}", where=where)


def _conflict(said: dict[str, Any], message: str, where: str) -> Conflict:
    fields: dict[str, list[str]] = {}
    for cause in (said.get("details") or {}).get("causes") or []:
        owner = _OWNER.search(str(cause.get("message", "")))
        if owner:
            fields.setdefault(owner[1], []).append(str(cause.get("field", "")))
    if not fields:
        return Conflict(f"somebody else changed it meanwhile: {message}", where=where, do="try again")
    told = "; ".join(f"{owner} owns {', '.join(sorted(which))}" for owner, which in fields.items())
    return Conflict(
        f"somebody else owns what this would change: {told}",
        where=where,
        do="take it over with adopt=True (--adopt), or leave these settings to their owner",
        owners={owner: tuple(sorted(which)) for owner, which in fields.items()},
    )


def _causes(said: dict[str, Any]) -> str:
    causes = (said.get("details") or {}).get("causes") or []
    parts = []
    for cause in causes:
        field, text = str(cause.get("field", "")), str(cause.get("message", ""))
        if field not in ("", "<nil>"):
            parts.append(f"{field}: {text}")
        elif not any(each.get("field") not in ("", "<nil>", None) for each in causes):
            parts.append(text)
    return "; ".join(dict.fromkeys(parts))
