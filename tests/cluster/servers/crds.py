"""The products' own custom resource definitions, taken from their own packages."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .programs import cache_folder, module, tool

Json = dict[str, Any]

GATEWAY_API = ("sigs.k8s.io/gateway-api", "v1.6.1")
ENVOY_GATEWAY = ("github.com/envoyproxy/gateway", "v1.9.1")
ISTIO = ("istio.io/api", "v1.32.0")
HIGRESS = ("github.com/alibaba/higress", "v1.4.0")
GLOO_CRATE = ("kcr_gateway_solo_io", "3.20260606.60258")
GATEWAY_KINDS = ("Gateway", "GatewayClass", "HTTPRoute")


def products() -> Iterator[Json]:
    """What the deploy targets emit, and what their objects refer to."""
    yield from istio()
    yield from higress()
    yield from envoy_gateway(("EnvoyExtensionPolicy", "SecurityPolicy"))
    yield from gateway_api(GATEWAY_KINDS)
    yield gloo()


def istio(kinds: tuple[str, ...] = ("WasmPlugin", "TrafficExtension", "EnvoyFilter")) -> Iterator[Json]:
    yield from _kinds(module(*ISTIO) / "kubernetes/customresourcedefinitions.gen.yaml", kinds)


def higress() -> Iterator[Json]:
    yield from _kinds(module(*HIGRESS) / "helm/core/crds/customresourcedefinitions.gen.yaml", ("WasmPlugin",))


def envoy_gateway(kinds: tuple[str, ...] = ()) -> Iterator[Json]:
    folder = module(*ENVOY_GATEWAY) / "charts/gateway-helm/charts/crds/crds/generated"
    for file in sorted(folder.glob("*.yaml")):
        yield from _kinds(file, kinds)


def gateway_api(kinds: tuple[str, ...] = (), channel: str = "standard") -> Iterator[Json]:
    for file in sorted((module(*GATEWAY_API) / "config/crd" / channel).glob("gateway.networking.*.yaml")):
        yield from _kinds(file, kinds)


def gloo() -> Json:
    """Gloo's Gateway.

    Its Go module is not served, so the schema is read from the Rust types that are generated from the very
    definition (crate ``kcr_gateway_solo_io``): the same fields with the same types, without descriptions.
    """
    source = (_crate(*GLOO_CRATE) / "src/v1/gateways.rs").read_text()
    types = _rust_types(source)
    schema = {
        "type": "object",
        "properties": {
            "spec": _schema("GatewaySpec", types),
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gateways.gateway.solo.io"},
        "spec": {
            "group": "gateway.solo.io",
            "scope": "Namespaced",
            "names": {
                "kind": "Gateway",
                "plural": "gateways",
                "singular": "gateway",
                "listKind": "GatewayList",
            },
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def _kinds(file: Path, kinds: tuple[str, ...]) -> Iterator[Json]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for found in yaml.load_all(file.read_text(), loader):
        if not found or found.get("kind") != "CustomResourceDefinition":
            continue
        if not kinds or found["spec"]["names"]["kind"] in kinds:
            yield found


def _crate(name: str, version: str) -> Path:
    """The folder of a crate's sources, fetched by cargo."""
    cargo = tool("cargo", "install Rust, or Debian's cargo")
    folder = cache_folder() / "crates"
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "src/lib.rs").touch()
    (folder / "Cargo.toml").write_text(
        '[package]\nname = "crates"\nversion = "0.0.0"\nedition = "2021"\n'
        f'[dependencies]\n{name} = "={version}"\n'
    )
    vendored = folder / "vendor"
    if not (vendored / name).exists():
        subprocess.run([cargo, "vendor", "--quiet", "vendor"], cwd=folder, check=True, capture_output=True)
    return vendored / name


def _rust_types(source: str) -> dict[str, list[tuple[str, str]] | list[str]]:
    """Every struct with its fields (name in JSON, type) and every enum with its values."""
    types: dict[str, Any] = {}
    for kind, name, body in re.findall(r"pub (struct|enum) (\w+) \{\n(.*?)\n\}", source, re.DOTALL):
        if kind == "enum":
            values = re.findall(r'(?:#\[serde\(rename = "([^"]*)"\)\]\s*)?(\w+),', body)
            types[name] = [renamed or plain for renamed, plain in values]
            continue
        fields = []
        for serde, field, of in re.findall(r"(?:#\[serde\(([^\n]*)\)\]\s*)?pub (\w+): ([^\n]+),", body):
            renamed = re.search(r'rename = "([^"]+)"', serde)
            fields.append((renamed[1] if renamed else field.removeprefix("r#"), of))
        types[name] = fields
    return types


def _schema(of: str, types: dict[str, Any]) -> Json:
    if of.startswith("Option<"):
        return _schema(of[len("Option<") : -1], types)
    if of.startswith("Vec<"):
        return {"type": "array", "items": _schema(of[len("Vec<") : -1], types)}
    if of.startswith("BTreeMap<String, "):
        inner = of[len("BTreeMap<String, ") : -1]
        if inner == "serde_json::Value":
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        return {"type": "object", "additionalProperties": _schema(inner, types)}
    plain = {"String": "string", "bool": "boolean", "i64": "integer", "i32": "integer", "u32": "integer",
             "f64": "number", "u64": "integer"}  # fmt: skip
    if of in plain:
        return {"type": plain[of]}
    found = types.get(of)
    if found is None:
        return {"x-kubernetes-preserve-unknown-fields": True}
    if found and isinstance(found[0], str):
        return {"type": "string", "enum": found}
    return {"type": "object", "properties": {name: _schema(inner, types) for name, inner in found}}
