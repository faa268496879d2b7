# mypy: ignore-errors
# ruff: noqa
# Standard modules that MicroPython lacks.


class _Annotations:
    """Stands for the modules that sources import for annotations only, and for everything in them."""

    def __getattr__(self, _name):
        return self

    def __getitem__(self, _key):
        return self

    def __or__(self, _other):
        return self

    def __call__(self, *values, **_options):
        return values[-1] if values else self  # as cast() and decorators do


sys.modules["typing"] = sys.modules["__future__"] = _Annotations()


class _NoLoop:
    """Stands for asyncio, whose event loop cannot run: the proxy has its own."""

    def __getattr__(self, name):
        raise AttributeError(
            "asyncio.%s cannot be used in a filter: await ctx.call(...) in an async callback" % name
        )


sys.modules["asyncio"] = _NoLoop()


class _Base64:
    """The module base64: the library's own lacks the alphabet of URLs, and takes bytes only."""

    def b64encode(self, data):
        import binascii

        return binascii.b2a_base64(_bytes(data, "the data")).rstrip(b"\n")

    def b64decode(self, text):
        import binascii

        try:
            return binascii.a2b_base64(_bytes(text, "the text"))
        except Exception as error:
            raise ValueError("this is no base64: %s" % error)

    def urlsafe_b64encode(self, data):
        return self.b64encode(data).replace(b"+", b"-").replace(b"/", b"_")

    def urlsafe_b64decode(self, text):
        return self.b64decode(_bytes(text, "the text").replace(b"-", b"+").replace(b"_", b"/"))

    standard_b64encode = b64encode
    standard_b64decode = b64decode


sys.modules["base64"] = _Base64()
