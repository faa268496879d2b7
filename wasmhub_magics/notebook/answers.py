"""What the JupyterLab extension can ask: a function for each question, whose result becomes JSON."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import WasmhubError
from .figures import deployed
from .messages import (
    DeploymentState,
    ExampleRow,
    Failure,
    FilterState,
    ImageDetails,
    ImagePage,
    ImageRow,
    LogEntry,
    VersionRow,
)
from .session import SESSION
from .settings import registries

if TYPE_CHECKING:
    from ..deploy import Deployment
    from ..hub import Entry

__all__ = ["ANSWERS", "states"]

REGISTRY_SECONDS = 5.0
LOG_LINES = 200
SHOWN_APART = ("description", "pulled by", "not by")


def states() -> tuple[FilterState, ...]:
    """The filters of the session, the latest last."""
    history = SESSION.history
    return tuple(
        FilterState(
            name=each.name,
            language=each.language,
            line=each.line,
            source=each.source,
            digest=each.digest,
            size=each.size,
            error=each.error,
            findings=each.findings,
            figures=tuple(history.figures.get(each.name, {}).values()),
        )
        for each in list(history.attempts.values())
    )


def deployments() -> tuple[DeploymentState, ...]:
    """All deployments, each asked of its proxy now."""
    from ..deploy import status

    return tuple(map(_deployment, status()))


def log(name: str, target: str) -> tuple[LogEntry, ...]:
    """The last lines that a deployed filter logged, and why there are none of a proxy.

    Raises DeployError for an unknown name, and where the proxies cannot be looked at.
    """
    from ..deploy import logs

    found = logs(name, target, last=LOG_LINES)
    lines = (LogEntry(each.level, f"{each.at} {each.text}".lstrip()) for each in found)
    return (*lines, *(LogEntry("note", note) for note in found.notes))


def versions(name: str, target: str) -> tuple[VersionRow, ...]:
    """The versions of a deployment, oldest first. Raises DeployError for an unknown name."""
    from ..deploy import history

    return tuple(VersionRow(each.version, each.at, each.digest, each.note) for each in history(name, target))


def rollback(name: str, target: str, to: int) -> tuple[DeploymentState, ...]:
    """Bring an earlier version back and tell what is deployed then. Raises DeployError."""
    from ..deploy import rollback

    SESSION.history.measured(name, deployed(rollback(name, to, target)))
    return deployments()


def undeploy(name: str, target: str) -> tuple[DeploymentState, ...]:
    """Take a filter out of service and tell what is left. Raises DeployError."""
    from ..deploy import undeploy

    undeploy(name, target)
    SESSION.history.forget(name, "deploy")
    return deployments()


def images(text: str = "", offset: int = 0, limit: int = 50) -> ImagePage:
    """A page of the images that are found, here and in the registries of the settings. Raises HubError."""
    from ..filter import search

    found = search(text, registries=registries(), seconds=REGISTRY_SECONDS, limit=offset + limit)
    return ImagePage(
        text=text,
        total=found.total,
        offset=offset,
        images=tuple(map(_row, found[offset:])),
        problems=tuple(map(_failure, found.problems)),
    )


def image(reference: str) -> ImageDetails:
    """All that is known of an image. Raises HubError."""
    from ..hub import info

    found = info(reference)
    told = {
        name: value for name, value in (*found.image._facts(), *found._facts()) if name not in SHOWN_APART
    }
    return ImageDetails(
        reference=reference,
        name=found.image.name,
        description=found.image.description,
        facts=tuple(told.items()),
        readme=found.readme,
        verdicts=tuple(
            (each.product, each.why if each.why and not each.pulls else "yes" if each.pulls else "no")
            for each in found.verdicts
        ),
        cell=found.entry.cell,
        trial=found.entry.trial,
        schema="" if found.schema is None else json.dumps(found.schema, indent=2, ensure_ascii=False),
        source=found.about.source,
    )


def examples() -> tuple[ExampleRow, ...]:
    """The filters that come with the package, to start from."""
    from ..examples import examples

    return tuple(ExampleRow(e.name, e.title, e.description, e.languages) for e in examples())


def example(name: str, language: str) -> str:
    """A cell that builds an example. Raises RequestError for one that is not there."""
    from ..examples import example

    found = example(name)
    source = found.source(language)
    line = ["%%wasm_filter", re.sub(r"\W", "_", name), "--lang", language]
    if found.config is not None:
        line += ["--config", shlex.quote(json.dumps(found.config))]
    flag = "--crate" if language == "rust" else "--module"
    for package in found.packages.get(language, ()):
        line += [flag, shlex.quote(package)]
    return f"{' '.join(line)}\n{source.rstrip()}"


def _deployment(deployment: Deployment) -> DeploymentState:
    return DeploymentState(
        name=deployment.name,
        target=deployment.target,
        place=deployment.place,
        state=deployment.state,
        url=deployment.url,
        digest=deployment.digest,
        version=deployment.version,
        since=deployment.since.isoformat(),
        requests=deployment.requests,
        errors=deployment.errors,
        told=tuple(deployment._told()),
    )


def _row(entry: Entry) -> ImageRow:
    return ImageRow(
        reference=entry.ref,
        name=entry.name,
        description=entry.description,
        language=entry.language,
        size=entry.size,
        created=entry.created,
        signed=entry.signed,
    )


def _failure(error: WasmhubError) -> Failure:
    return Failure(error.what, error.where, error.do)


ANSWERS: Mapping[str, Callable[..., Any]] = {
    "deployments": deployments,
    "log": log,
    "versions": versions,
    "rollback": rollback,
    "undeploy": undeploy,
    "images": images,
    "image": image,
    "examples": examples,
    "example": example,
}
