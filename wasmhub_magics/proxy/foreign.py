"""Foreign functions of Envoy that need a library: signatures, and expressions in CEL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .cel import Expression, attributes_from
from .signature import sign, verify

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ABSENT", "ForeignFunctions"]

NAMES = (
    "compress",
    "uncompress",
    "set_envoy_filter_state",
    "clear_route_cache",
    "verify_signature",
    "sign",
    "expr_create",
    "expr_evaluate",
    "expr_delete",
    "declare_property",
)
"""By the numbers of ``src/calls_foreign.zig``."""
OK, NOT_FOUND, BAD_ARGUMENT, INTERNAL_FAILURE = 0, 1, 2, 10
ABSENT = 255
WANTED = {"cel_expr_python": "cel-expr-python", "cryptography": "cryptography"}


@dataclass
class ForeignFunctions:
    """Answers the foreign functions of one host; expressions belong to the plugin that made them."""

    _expressions: dict[int, dict[int, Expression]] = field(default_factory=dict)
    _made: dict[int, int] = field(default_factory=dict)

    def call(self, number: int, plugin: int, argument: bytes, attributes: bytes) -> tuple[int, bytes]:
        """The status and the result; a status of ABSENT with the reason where a library is missing."""
        name = NAMES[number]
        functions: dict[str, Callable[[], tuple[int, bytes]]] = {
            "verify_signature": lambda: verify(argument),
            "sign": lambda: sign(argument),
            "expr_create": lambda: self._create(plugin, argument),
            "expr_evaluate": lambda: self._evaluate(plugin, argument, attributes),
            "expr_delete": lambda: self._delete(plugin, argument),
        }
        try:
            return functions[name]()
        except ModuleNotFoundError as error:
            package = WANTED.get(error.name or "", error.name or "")
            return ABSENT, f"pip install {package}".encode()

    def _create(self, plugin: int, text: bytes) -> tuple[int, bytes]:
        try:
            expression = Expression.parse(text.decode())
        except ValueError:
            return BAD_ARGUMENT, b""
        token = self._made.get(plugin, 0)
        self._made[plugin] = token + 1
        if not expression.known:
            return BAD_ARGUMENT, b""
        self._expressions.setdefault(plugin, {})[token] = expression
        return OK, token.to_bytes(4, "little")

    def _evaluate(self, plugin: int, argument: bytes, attributes: bytes) -> tuple[int, bytes]:
        if len(argument) != 4:
            return BAD_ARGUMENT, b""
        expression = self._expressions.get(plugin, {}).get(int.from_bytes(argument, "little"))
        return (NOT_FOUND, b"") if expression is None else expression.evaluate(attributes_from(attributes))

    def _delete(self, plugin: int, argument: bytes) -> tuple[int, bytes]:
        if len(argument) != 4:
            return BAD_ARGUMENT, b""
        self._expressions.get(plugin, {}).pop(int.from_bytes(argument, "little"), None)
        return OK, b""
