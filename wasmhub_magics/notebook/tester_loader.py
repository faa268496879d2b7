"""The way to the request tester, which needs a package that may be missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import WasmhubError

if TYPE_CHECKING:
    from ..filter import Filter
    from .tester import Tester

__all__ = ["tester"]


def tester(filters: Sequence[Filter], variables: Mapping[str, object]) -> Tester:
    """A request tester on a chain of filters. Raises WasmhubError where anywidget is not installed."""
    try:
        import anywidget  # noqa: F401
    except ImportError:
        raise WasmhubError(
            "the request tester needs the package anywidget, which is not here",
            do="%pip install anywidget, restart the kernel, reload the page; %wasm_send needs none",
        ) from None
    from .tester import Tester

    opened = Tester(filters, variables)
    opened.show_picture()
    return opened
