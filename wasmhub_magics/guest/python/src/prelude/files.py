# mypy: ignore-errors
# ruff: noqa
# Further files of a filter, as a file system.


class _Files:
    # What was built in besides the source, as a file system: modules to import, and data to open.
    def __init__(self, files):
        self._files = files

    def mount(self, _readonly, _make):
        pass

    def umount(self):
        pass

    def chdir(self, _path):
        pass

    def getcwd(self):
        return "/"

    def stat(self, path):
        path = path.strip("/")
        if path in self._files:
            return (0x8000, 0, 0, 0, 0, 0, len(self._files[path]), 0, 0, 0)
        if not path or any([each.startswith(path + "/") for each in self._files]):
            return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        raise OSError(2)

    def ilistdir(self, path):
        path = path.strip("/")
        start = path + "/" if path else ""
        found = []
        for each in self._files:
            if each.startswith(start):
                name, _, rest = each[len(start) :].partition("/")
                entry = (name, 0x4000 if rest else 0x8000, 0)
                if entry not in found:
                    found.append(entry)
        return iter(found)

    def open(self, path, mode):
        text = self._files.get(path.strip("/"))
        if text is None:
            raise OSError(2)
        if "w" in mode or "a" in mode or "+" in mode:
            raise OSError(30)
        return io.BytesIO(text.encode()) if "b" in mode else io.StringIO(text)
