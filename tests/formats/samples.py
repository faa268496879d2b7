"""Texts that people paste, for Python and for the page."""

from __future__ import annotations

import json

from wasmhub_magics.http import Request

HAR = {
    "log": {
        "version": "1.2",
        "entries": [
            {
                "request": {
                    "method": "POST",
                    "url": "https://shop.example/items?id=1",
                    "httpVersion": "HTTP/2",
                    "headers": [
                        {"name": ":authority", "value": "shop.example"},
                        {"name": "Content-Type", "value": "application/json"},
                        {"name": "content-length", "value": "8"},
                    ],
                    "postData": {"mimeType": "application/json", "text": '{"a": 1}'},
                }
            },
            {"request": {"method": "GET", "url": "https://shop.example", "headers": []}},
        ],
    }
}

COMBINED = '1.2.3.4 - ada [10/Oct/2026:13:55:36 +0000] "GET /a?b=1 HTTP/1.1" 200 2326 "http://r/" "Agent 1"'
ENVOY = (
    '[2026-04-15T20:17:00.310Z] "GET /items HTTP/2" 503 - 0 19 5 3 "10.0.35.28" "curl/8" '
    '"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "shop.example" "1.1.1.1:80"'
)
ISTIO = (
    '[2026-04-15T20:17:00.310Z] "GET /items HTTP/1.1" 200 - via_upstream - "-" 0 3 5 3 "-" "curl/8" '
    '"id-1" "shop.example" "1.1.1.1:80" outbound|80||shop 1 2 3 - default'
)
JSON_LOG = json.dumps(
    {"method": "GET", "path": "/items", "user_agent": "curl/8", "authority": "shop.example"}
)
CHUNKED = (
    "POST /up HTTP/1.1\r\nHost: a.b\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3\r\nabc\r\n5\r\ndefgh\r\n0\r\nx-sum: 7\r\n\r\n"
)
HTTP_FILE = "### one\nGET http://a/1\naccept: */*\n\n### two\n# a comment\nPOST http://a/2 HTTP/1.1\n\nbody\n"
BROWSER = "curl 'https://a.b/items' \\\n  -H 'x-user: ada' \\\n  --data-raw $'it\\'s\\n'"
FLAGS = "curl -sS --http2 -o /dev/null -w '%{http_code}' --max-time 3 -x proxy:3128 https://a.b/x"

TEXTS = [
    BROWSER,
    FLAGS,
    "curl http://a/1\ncurl -H 'x: curl it' http://a/2\n",
    'curl -u user:secret -b a=1 -A agent -e http://r/ --compressed "http://a/x y"'.replace("x y", "x%20y"),
    "curl --json '{\"a\": 1}' localhost:8080/items",
    "curl -G -d a=1 -d b=2 'http://a/search?q=0'",
    "curl -XDELETE -H 'x-empty;' -H 'accept:' http://a/items/1",
    "GET /items -H 'x-user: ada'",
    json.dumps(HAR),
    COMBINED,
    f"{ENVOY}\n{COMBINED}",
    ISTIO,
    JSON_LOG,
    CHUNKED,
    'POST /items HTTP/1.1\nhost: a.b\ncontent-type: application/json\nx-long: one\n two\n\n{"a": 1}\n',
    HTTP_FILE,
]

FALSE_TEXTS = [
    "",
    "   ",
    "{",
    '{"log": {}}',
    '{"a": 1}',
    "some words\nin two lines",
    "curl 'http://a",
    "curl --no-such-flag http://a",
    "curl http://a http://b",
    "curl -H nonsense http://a",
    "POST / HTTP/1.1\nno header",
    "POST / HTTP/1.1\ntransfer-encoding: chunked\n\nzz\n",
]

REQUESTS = [
    Request("GET", "/items?id=1", [("x-user", "ada"), ("x-user", "it's")], authority="a.b:81"),
    Request("POST", "/", [("content-type", "text/plain")], "two\nlines"),
    Request("DELETE", "/items/1", [("x-empty", "")]),
    Request("PUT", "/items", body='{"a": "ü"}', scheme="https"),
    Request("HEAD", "/"),
]
