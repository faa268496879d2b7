"""What signed tokens need, in the languages whose libraries have no HMAC and no JSON."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasmhub_magics.build import BuildOptions, build_module
from wasmhub_magics.http import Request
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy

C = """
#include "proxy_wasm.h"
#include "pw_hmac.h"
#include "pw_json.h"

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  PW_AUTO pw_text body = pw_get_header(PW_REQUEST_HEADERS, "x-body");
  PW_AUTO pw_text key = pw_get_header(PW_REQUEST_HEADERS, "x-key");
  char out[1024] = "none";
  uint8_t signature[PW_SHA256_SIZE];
  pw_hmac_sha256(key.data, key.size, body.data, body.size, signature);
  for (int i = 0; i < PW_SHA256_SIZE; i++) pw_format(out + 2 * i, 3, "%02x", signature[i]);
  pw_add_header(PW_REQUEST_HEADERS, "x-signature", out);
  pw_json member = pw_json_member(body.data, body.size, "sub");
  pw_text raw = {member.data ? (char *)member.data : "none", member.data ? member.size : 4};
  pw_set_header_text(PW_REQUEST_HEADERS, "x-raw", raw);
  ptrdiff_t length = pw_json_string(member, out, sizeof out);
  if (length < 0) pw_format(out, sizeof out, "none");
  pw_set_header_text(PW_REQUEST_HEADERS, "x-text", (pw_text){out, length < 0 ? 4 : (size_t)length});
  return PW_CONTINUE;
}
"""
ASSEMBLYSCRIPT = """
import { hmacSha256 } from "hmac";
import { JsonObject } from "json";
import { Stream, encode } from "proxy_wasm";

export function onRequestHeaders(stream: Stream): void {
  const headers = stream.request.headers, body = headers.get("x-body")!;
  const bytes = hmacSha256(encode(headers.get("x-key")!), encode(body));
  let signature = "";
  for (let i = 0; i < bytes.length; i++) signature += bytes[i].toString(16).padStart(2, "0");
  headers.set("x-signature", signature);
  const object = JsonObject.parse(body);
  if (object === null) return;
  const raw = object.raw("sub"), text = object.text("sub");
  headers.set("x-raw", raw === null ? "none" : raw);
  headers.set("x-text", text === null ? "none" : text);
}
"""
OBJECT = (
    '{"a":{"sub":1,"x":[1,2,{}]},"sub":"a\\u00e4\\ud83d\\ude00\\"/","e": -12.5e1 ,"t":[true,null],"z":{}}'
)


@pytest.fixture(
    scope="module", params=[("c", C), ("assemblyscript", ASSEMBLYSCRIPT)], ids=["c", "assemblyscript"]
)
def tokens(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    language, source = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WASMHUB_CACHE", str(tmp_path_factory.getbasetemp() / "languages"))
        made = build_module(source, language, options=BuildOptions(optimize="none"))
    with Proxy(Plugin(made.module, "tokens")) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def cache(tmp_path: Path) -> Path:
    return tmp_path


def told(proxy: Proxy, body: str, key: str = "k") -> dict[str, str]:
    request = proxy.send(Request("GET", "/", {"x-key": key, "x-body": body})).upstream_request
    assert request is not None
    return dict(request.headers)


@pytest.mark.parametrize("key", [1, 63, 64, 65, 200])
def test_signatures_are_those_of_pythons_library(tokens: Proxy, key: int) -> None:
    for size in (1, 55, 56, 63, 64, 65, 119, 120, 700):
        wanted = hmac.new(b"k" * key, b"x" * size, hashlib.sha256).hexdigest()
        assert told(tokens, "x" * size, "k" * key)["x-signature"] == wanted


def test_an_objects_member_is_what_pythons_library_reads(tokens: Proxy) -> None:
    said = told(tokens, OBJECT)
    assert (json.loads(said["x-raw"]), said["x-text"]) == ('aä😀"/', 'aä😀"/')
    dice = random.Random(1)
    for _ in range(400):
        text = list(OBJECT)
        for _ in range(dice.choice([1, 1, 2])):
            at = dice.randrange(len(text))
            text[at : at + dice.choice([0, 1])] = dice.choice(["", *'{}[],:"\\ux01-eE. '])
        body = "".join(text)
        try:
            value = json.loads(body)
            wanted = value["sub"] if isinstance(value, dict) and "sub" in value else None
        except ValueError:
            wanted = None
        said = told(tokens, body)
        if wanted is None:
            assert said.get("x-raw", "none") == "none", body
        else:
            assert json.loads(said["x-raw"]) == wanted, body
