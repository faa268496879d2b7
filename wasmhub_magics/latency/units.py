"""Durations, counts and sizes as people read them."""

from __future__ import annotations

__all__ = ["duration", "scale_of", "short", "size"]

_UNITS = ((1_000_000_000.0, "s"), (1_000_000.0, "ms"), (1000.0, "µs"), (1.0, "ns"))


def duration(ns: float) -> str:
    """Nanoseconds with three significant figures and the unit that fits: ``412 ns``, ``1.23 µs``."""
    factor, unit = scale_of(ns)
    return f"{_figures(ns / factor)} {unit}"


def scale_of(ns: float) -> tuple[float, str]:
    """The unit a duration is best told in: how many nanoseconds it has, and its sign."""
    size = float(f"{abs(ns):.3g}")
    return next(((factor, unit) for factor, unit in _UNITS if size >= factor), _UNITS[-1])


def short(number: float) -> str:
    """A large number in brief: ``950``, ``12.5k``, ``1.94M``."""
    rounded = float(f"{number:.3g}")
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(rounded) >= factor:
            return f"{_figures(number / factor)}{unit}"
    return _figures(number)


def size(count: float) -> str:
    """Bytes with a binary unit: ``512 B``, ``64 KiB``, ``1.5 MiB``."""
    for factor, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if abs(count) >= factor:
            return f"{count / factor:.4g} {unit}"
    return f"{count:.4g} B"


def _figures(number: float) -> str:
    digits = f"{abs(number):.3g}"
    text = f"{float(digits):g}" if "e" in digits else digits
    return f"−{text}" if number < 0 and float(text) != 0 else text
