"""Foreign functions with signatures, expressions and declared properties: both proxies do the same."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from wasmhub_magics.http import Request, Response
from wasmhub_magics.proxy.wire import fields, length_delimited, varint

REQUESTS = [
    Request(
        "POST", "/a/b?c=d&e=f", [("x-user", "ada"), ("x-many", "1"), ("x-many", "2")], "abc", authority="h"
    ),
    Request(),
]
TEXT = b"what is signed"
DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
PUBLIC, PRIVATE = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PrivateFormat.PKCS8


def message(**parts):
    numbers = {"hash": 1, "der": 2, "signature": 3, "text": 4, "pem": 5}
    return b"".join(length_delimited(numbers[name], value) for name, value in parts.items())


def signing(**parts):
    numbers = {"hash": 1, "der": 2, "text": 3, "pem": 4}
    return b"".join(length_delimited(numbers[name], value) for name, value in parts.items())


@pytest.fixture(scope="module")
def keys():
    return {
        "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ec": ec.generate_private_key(ec.SECP256R1()),
        "ed": ed25519.Ed25519PrivateKey.generate(),
    }


def test_both_proxies_verify_signatures_alike(beside, keys):
    rsa_key, ec_key, ed_key = keys["rsa"], keys["ec"], keys["ed"]
    ders = {name: key.public_key().public_bytes(DER, PUBLIC) for name, key in keys.items()}
    pem = rsa_key.public_key().public_bytes(PEM, PUBLIC)
    rsa_signed = rsa_key.sign(TEXT, padding.PKCS1v15(), hashes.SHA256())
    ec_signed = ec_key.sign(TEXT, ec.ECDSA(hashes.SHA256()))
    cases = [
        message(hash=b"sha256", der=ders["rsa"], signature=rsa_signed, text=TEXT),
        message(hash=b"sha256", pem=pem, signature=rsa_signed, text=TEXT),
        message(hash=b"SHA256", pem=pem, signature=rsa_signed, text=TEXT),
        message(hash=b"sha256", der=ders["rsa"], pem=pem, signature=rsa_signed, text=TEXT),
        message(hash=b"sha256", der=ders["rsa"], signature=rsa_signed, text=b"other"),
        message(hash=b"sha1", der=ders["rsa"], signature=rsa_signed, text=TEXT),
        message(hash=b"md4", der=ders["rsa"], signature=rsa_signed, text=TEXT),
        message(der=ders["rsa"], signature=rsa_signed, text=TEXT),
        message(hash=b"sha256", der=ders["rsa"], signature=b"short", text=TEXT),
        message(hash=b"sha256", der=ders["ec"], signature=ec_signed, text=TEXT),
        message(hash=b"sha256", der=ders["ec"], signature=b"no signature", text=TEXT),
        message(hash=b"sha256", der=ders["ed"], signature=ed_key.sign(TEXT), text=TEXT),
        message(hash=b"sha256", der=b"no key", signature=rsa_signed, text=TEXT),
        message(hash=b"sha256", pem=b"no key", signature=rsa_signed, text=TEXT),
        message(hash=b"sha256"),
        b"x",
        b"",
    ]
    script = "\n".join(f"request_headers hexforeign verify_signature {case.hex()}" for case in cases)
    exchanges = beside(script, REQUESTS[:1])
    lines = [line.message for line in exchanges[0][0].log if line.message.startswith("hexforeign")]
    assert lines[0] == lines[1] == "hexforeign -> 0 0801"


def test_both_proxies_sign_alike(beside, keys):
    ders = {name: key.private_bytes(DER, PRIVATE, serialization.NoEncryption()) for name, key in keys.items()}
    pem = keys["rsa"].private_bytes(PEM, PRIVATE, serialization.NoEncryption())
    old = keys["rsa"].private_bytes(
        DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    cases = [
        signing(hash=b"sha256", der=ders["rsa"], text=TEXT),
        signing(hash=b"sha512", pem=pem, text=TEXT),
        signing(hash=b"sha256", der=old, text=TEXT),
        signing(hash=b"md5", der=ders["rsa"], text=TEXT),
        signing(hash=b"sha256", der=ders["ed"], text=TEXT),
        signing(hash=b"sha256", der=b"no key", text=TEXT),
        signing(hash=b"sha256", text=TEXT),
        b"x",
    ]
    script = "\n".join(f"request_headers hexforeign sign {case.hex()}" for case in cases)
    exchanges = beside(script, REQUESTS[:1])
    line = next(e.message for e in exchanges[0][0].log if e.message.startswith("hexforeign"))
    signature = dict(fields(bytes.fromhex(line.split()[-1])))[2]
    keys["rsa"].public_key().verify(signature, TEXT, padding.PKCS1v15(), hashes.SHA256())


EXPRESSIONS = [
    "1 + 1",
    "2u",
    "1.5",
    "'text'",
    "b'bytes'",
    "true",
    "null",
    "1 / 0",
    "1 +",
    "duration('1.5s')",
    "timestamp('2024-01-02T03:04:05Z')",
    "[1, 2]",
    "['a', 'b']",
    "{'a': 'b'}",
    "[null]",
    "type(1)",
    "unknown(1)",
    "'a(b)'",
    "nothing",
    "nothing.at.all",
    "request.path",
    "request.url_path",
    "request.query",
    "request.host",
    "request.scheme",
    "request.method == 'POST'",
    "request.headers['x-user']",
    "request.headers['x-many']",
    "request.headers['x-none']",
    "'x-user' in request.headers",
    "has(request.referer)",
    "request.referer",
    "request.useragent",
    "request.protocol",
    "request.size",
    "request.total_size > 10",
    "request.duration > duration('0s')",
    "request.nothing",
    "request.path.startsWith('/a') && request.path.matches('^/[ab/]+')",
    "request.path.size() + size(request.headers)",
    "response.code",
    "response.code_details",
    "response.flags",
    "response.grpc_status",
    "response.headers['content-type']",
    "source.address.startsWith('127.0.0.1:')",
    "source.port > 1024",
    "destination.address.contains('127.0.0.1')",
    "connection.mtls",
    "connection.requested_server_name",
    "connection.id > 0u",
    "connection.nothing",
    "upstream.address.startsWith('127.0.0.1:')",
    "upstream.port > 0",
    "xds.cluster_name",
    "xds.route_name",
    "xds.virtual_host_name",
    "xds.listener_direction",
    "plugin_name",
    "plugin_root_id",
    "plugin_vm_id",
    "mine",
    "filter_state['wasm.mine']",
    "filter_state['none']",
    "[1, 2, 3].filter(n, n > 1).map(n, n * 2)",
    "[1, 2].exists(n, n == 2) ? 'yes' : 'no'",
    "string(request.time.getFullYear() > 2000)",
]


@pytest.mark.parametrize("phase", ["request_headers", "response_headers", "log"])
def test_both_proxies_evaluate_expressions_alike(beside, phase):
    script = "request_headers setprop mine value\n" + "\n".join(f"{phase} cel {e}" for e in EXPRESSIONS)
    beside(script, REQUESTS, root_id="my_root")


def declared(name, *, readonly=0, kind=0, span=0):
    parts = [
        length_delimited(1, name),
        b"\x10" + varint(readonly),
        b"\x18" + varint(kind),
        b"\x28" + varint(span),
    ]
    return b"".join(parts).hex()


def test_both_proxies_keep_declared_properties_alike(beside):
    script = f"""
configure hexforeign declare_property {declared(b"once", readonly=1)}
configure hexforeign declare_property {declared(b"text", kind=1, span=1)}
configure hexforeign declare_property {declared(b"text", kind=1)}
configure hexforeign declare_property {declared(b"long", span=2)}
request_headers hexforeign declare_property {declared(b"late", readonly=1)}
request_headers hexforeign declare_property {declared(b"late", readonly=1)}
request_headers hexforeign declare_property 0a
request_headers setprop once 1
request_headers setprop once 2
request_headers prop once
request_headers setprop text one
request_headers setprop text two
request_headers prop text
request_headers cel text
request_headers cel once
request_headers setprop late 1
request_headers setprop late 2
request_headers setprop long 1
log prop once
log prop text
log prop late
log prop long
"""
    beside(script, REQUESTS)


def test_an_expression_without_its_library_is_not_found_and_the_user_is_told(puppet, monkeypatch):
    from wasmhub_magics.proxy import Proxy

    monkeypatch.setitem(__import__("sys").modules, "cel_expr_python", None)
    with Proxy(puppet("request_headers cel 1 + 1"), Response(200)) as embedded:
        exchange = embedded.send()
    assert "cel -> 1" in [line.message for line in exchange.log]
    assert "pip install cel-expr-python" in exchange.warnings[0]
