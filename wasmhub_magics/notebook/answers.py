"""What the JupyterLab extension can ask: a function for each question, whose result becomes JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import WasmhubError
from .messages import DeploymentState, Failure, FilterState, ImageDetails, ImagePage, ImageRow, LogEntry
from .session import SESSION

if TYPE_CHECKING:
    from ..deploy import Deployment
    from ..hub import Image

__all__ = ["ANSWERS", "states"]


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


def log(name: str) -> tuple[LogEntry, ...]:
    """The last lines that a deployed filter logged. Raises DeployError for an unknown name."""
    from ..deploy import status

    return tuple(LogEntry(line.level, line.message) for line in status()[name].log[-200:])


def undeploy(name: str) -> tuple[DeploymentState, ...]:
    """Take a filter out of service and tell what is left. Raises DeployError."""
    from ..deploy import undeploy

    undeploy(name)
    SESSION.history.forget(name, "deploy")
    return deployments()


def images(text: str = "", offset: int = 0, limit: int = 50) -> ImagePage:
    """A page of the images that a search finds. Raises HubError."""
    from ..filter import search

    found = search(text)
    return ImagePage(
        text=text,
        total=len(found),
        offset=offset,
        images=tuple(map(_row, found[offset : offset + limit])),
        problems=tuple(map(_failure, found.problems)),
    )


def image(reference: str) -> ImageDetails:
    """All that is known of an image. Raises HubError."""
    from ..hub import Store, parse_reference
    from ..hub.image import describe

    found = describe(Store(), parse_reference(reference))
    return ImageDetails(
        reference=str(found.reference),
        name=found.name,
        description=found.description,
        facts=tuple(found._facts()),
        cell=f"%wasm_pull {found.reference} --as {found.name if found.name.isidentifier() else 'pulled'}",
    )


def _deployment(deployment: Deployment) -> DeploymentState:
    return DeploymentState(
        name=deployment.name,
        target=deployment.target,
        state=deployment.state,
        url=deployment.url,
        digest=deployment.digest,
        version=deployment.version,
        since=deployment.since.isoformat(),
        requests=deployment.requests,
        errors=deployment.errors,
    )


def _row(image: Image) -> ImageRow:
    return ImageRow(
        reference=str(image.reference),
        name=image.name,
        description=image.description,
        language=image.language,
        size=image.size,
        created=image.created,
    )


def _failure(error: WasmhubError) -> Failure:
    return Failure(error.what, error.where, error.do)


ANSWERS: Mapping[str, Callable[..., Any]] = {
    "deployments": deployments,
    "log": log,
    "undeploy": undeploy,
    "images": images,
    "image": image,
}
