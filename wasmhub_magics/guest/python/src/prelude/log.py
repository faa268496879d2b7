# mypy: ignore-errors
# ruff: noqa
# What a filter logs.


class Log:
    """`log("text")`, and `log.warn("text")` for another level; several values are joined by spaces."""

    def __call__(self, *values):
        self._write(2, values)

    def _write(self, level, values):
        _log(
            level,
            values[0]
            if len(values) == 1 and isinstance(values[0], str)
            else " ".join([str(v) for v in values]),
        )

    def trace(self, *values):
        self._write(0, values)

    def debug(self, *values):
        self._write(1, values)

    def info(self, *values):
        self._write(2, values)

    def warn(self, *values):
        self._write(3, values)

    def error(self, *values):
        self._write(4, values)

    def critical(self, *values):
        self._write(5, values)

    warning = warn
