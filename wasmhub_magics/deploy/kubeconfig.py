"""Which cluster is meant: kubeconfig files, contexts and namespaces as kubectl has them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DeployError

__all__ = ["Chosen", "choose"]

Json = dict[str, Any]
FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
NO_CLUSTER = "write a kubeconfig file, set KUBECONFIG, or pass kubeconfig="


@dataclass(frozen=True, slots=True)
class Chosen:
    """A context of a kubeconfig: the cluster, the user's login and the namespace that go with it."""

    context: str
    namespace: str
    server: str
    config: Any
    """lightkube's ``SingleConfig``."""

    def __repr__(self) -> str:
        return f"<Chosen {self.context}/{self.namespace}>"


def choose(kubeconfig: str | Path = "", context: str = "", namespace: str = "") -> Chosen:
    """Find the cluster as kubectl does.

    That is the file given, else those that KUBECONFIG lists, else ``~/.kube/config``, else the service
    account of the pod that this runs in; the context given, else the current one; the namespace given, else
    that of the context, else ``default``. Raises DeployError where there is none.
    """
    from lightkube import KubeConfig
    from lightkube.core.exceptions import ConfigError

    files = _files(kubeconfig)
    if not files:
        try:
            inside = KubeConfig.from_service_account().get()
        except (ConfigError, KeyError):
            where = str(kubeconfig) or os.environ.get("KUBECONFIG", "") or "~/.kube/config"
            raise DeployError("there is no kubeconfig file", where=where, do=NO_CLUSTER) from None
        assert inside is not None
        return Chosen("in-cluster", namespace or inside.namespace or "default", inside.cluster.server, inside)
    merged = _merged(files)
    where = ", ".join(map(str, files))
    names = [each["name"] for each in merged["contexts"]]
    wanted = context or merged["current-context"]
    if not wanted:
        raise DeployError(
            "the kubeconfig names no current context",
            where=where,
            do=f"pass context= with one of: {', '.join(names)}" if names else NO_CLUSTER,
        )
    if wanted not in names:
        raise DeployError(
            f"the kubeconfig has no context {wanted!r}",
            where=where,
            do=f"choose one of: {', '.join(names)}" if names else NO_CLUSTER,
        )
    try:
        single = KubeConfig.from_dict({**merged, "current-context": wanted}).get()
    except Exception as error:  # what lightkube raises here depends on which part is wrong
        raise DeployError(
            f"the context {wanted!r} cannot be used: {error}", where=where, do="mend the kubeconfig"
        ) from None
    assert single is not None
    return Chosen(wanted, namespace or single.namespace or "default", single.cluster.server, single)


def _files(kubeconfig: str | Path) -> list[Path]:
    if kubeconfig:
        path = Path(kubeconfig).expanduser()
        if not path.is_file():
            raise DeployError("there is no such kubeconfig file", where=str(path), do=NO_CLUSTER)
        return [path]
    listed = os.environ.get("KUBECONFIG", "")
    paths = [Path(each) for each in listed.split(os.pathsep) if each] or [Path("~/.kube/config")]
    return [path for path in map(Path.expanduser, paths) if path.is_file()]


def _merged(files: list[Path]) -> Json:
    """The files as one; of two entries of one name the first counts, as in kubectl."""
    import yaml

    merged: Json = {"current-context": "", "contexts": [], "clusters": [], "users": []}
    for file in files:
        try:
            read = yaml.safe_load(file.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise DeployError(
                f"the kubeconfig cannot be read: {reason}", where=str(file), do="mend or remove the file"
            ) from None
        if not isinstance(read, dict):
            if read is None:
                continue
            raise DeployError("the kubeconfig is no mapping", where=str(file), do="mend or remove the file")
        merged["current-context"] = merged["current-context"] or read.get("current-context") or ""
        for kind, key in (("contexts", "context"), ("clusters", "cluster"), ("users", "user")):
            known = {each["name"] for each in merged[kind]}
            for each in read.get(kind) or []:
                if not isinstance(each, dict) or not isinstance(each.get("name"), str):
                    raise DeployError(
                        f"an entry under {kind} has no name", where=str(file), do="mend the file"
                    )
                if each["name"] not in known:
                    merged[kind].append({"name": each["name"], key: _whole(each.get(key) or {}, file)})
    return merged


def _whole(entry: Json, file: Path) -> Json:
    """An entry whose files are found from anywhere, and whose login program speaks a version that we know."""
    entry = dict(entry)
    for key in FILES:
        if isinstance(entry.get(key), str) and entry[key]:
            entry[key] = str(file.parent.absolute() / Path(entry[key]).expanduser())
    program = entry.get("exec")
    if isinstance(program, dict) and str(program.get("apiVersion", "")).endswith("/v1"):
        # the answer has the same form in v1 and v1beta1, and lightkube knows the older name only
        entry["exec"] = {**program, "apiVersion": "client.authentication.k8s.io/v1beta1"}
    return entry
