"""The commands of the console script that move and find images."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RequestError

if TYPE_CHECKING:
    from .filter import Filter

__all__ = ["add_hub_commands"]

FACTS = {
    "description": "one sentence on what the filter does",
    "version": "version of the filter",
    "licenses": "licence, as an SPDX expression",
    "category": "what kind of filter it is, such as security",
    "authors": "who made it",
    "documentation": "address of its documentation",
}


def add_hub_commands(commands: Any, take: Callable[[argparse.Namespace], Filter]) -> None:
    """Add ``push``, ``pull``, ``search`` and their fellows; ``take`` gives the filter that one names."""
    push = commands.add_parser("push", help="publish a filter as an OCI image")
    push.add_argument("filter", metavar="FILTER", help="source file, .wasm file, or reference of an image")
    push.add_argument("--lang", help="language of the source (default: by the file's ending)")
    push.add_argument("--name", default="", help="name of the filter (default: the file's name)")
    push.add_argument(
        "reference", nargs="?", default="", help="[REGISTRY/]REPOSITORY[:TAG]; local store if no registry"
    )
    for name, text in FACTS.items():
        push.add_argument(f"--{name}", metavar="TEXT", help=text)
    push.add_argument("--keyword", action="append", default=[], metavar="WORD", help="word to find it by")
    push.add_argument("--readme", metavar="FILE", help="Markdown that travels with it")
    push.add_argument("--schema", metavar="FILE", help="JSON Schema of its configuration")
    push.add_argument("--example-config", metavar="FILE", help="a configuration that works")
    push.add_argument("--no-source", action="store_true", help="keep the source here")
    push.add_argument(
        "--layout", default="compat", help="compat (default), solo, cncf, or all under related tags"
    )
    push.add_argument("--compress", action="store_true", help="smaller, but not the same on every machine")
    push.add_argument("--sign", metavar="KEY", help="sign with this key; COSIGN_PASSWORD opens it")
    _connection(push)
    push.set_defaults(run=lambda options: _push(options, take(options)))

    pull = commands.add_parser("pull", help="fetch a filter")
    pull.add_argument("reference", help="[REGISTRY/]REPOSITORY[:TAG][@DIGEST], or the URL of a .wasm file")
    pull.add_argument("--sha256", default="", help="what the module's digest must be")
    pull.add_argument("-o", "--output", metavar="FILE", help="where the module goes (default: NAME.wasm)")
    _connection(pull)
    pull.set_defaults(run=_pull)

    for name, text in (("search", "find images"), ("images", "list the images of the local store")):
        search = commands.add_parser(name, help=text)
        search.add_argument("text", nargs="*", help="words of the name, description, README or other facts")
        _search_options(search)
        search.set_defaults(run=_search, run_name=name)

    info = commands.add_parser("info", help="tell all that an image carries")
    info.add_argument("reference", help="[REGISTRY/]REPOSITORY[:TAG][@DIGEST]")
    info.add_argument("--key", action="append", metavar="FILE", help="public key whose signatures count")
    _connection(info)
    info.set_defaults(run=_info)

    login = commands.add_parser("login", help="log in to a registry, which is asked whether it accepts")
    login.add_argument("registry", help="HOST or HOST:PORT")
    _connection(login)
    login.set_defaults(run=_login)
    logout = commands.add_parser("logout", help="forget the login of a registry")
    logout.add_argument("registry", help="HOST or HOST:PORT")
    logout.set_defaults(run=_logout)
    _store_commands(commands.add_parser("hub", help="serve and tend the local store; keys and signatures"))


def _store_commands(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    serve = commands.add_parser("serve", help="serve the local store as a registry on this machine")
    serve.add_argument("--port", type=int, default=5000, help="port on loopback (default: 5000; 0: any)")
    serve.set_defaults(run=_serve)
    gc = commands.add_parser("gc", help="remove what no tag needs")
    gc.add_argument("--keep-untagged", action="store_true", help="keep images that only a digest names")
    gc.set_defaults(run=_gc)
    remove = commands.add_parser("rm", help="remove an image")
    remove.add_argument("reference", help="[REGISTRY/]REPOSITORY[:TAG][@DIGEST]")
    _connection(remove)
    remove.set_defaults(run=_remove)
    keys = commands.add_parser("keys", help="make a pair of keys, as cosign does")
    keys.add_argument("prefix", nargs="?", default="wasmhub", help="PREFIX.key and PREFIX.pub are written")
    keys.set_defaults(run=_keys)
    for name, text in (("sign", "sign an image"), ("verify", "tell whether a key signed an image")):
        command = commands.add_parser(name, help=text)
        command.add_argument("reference", help="[REGISTRY/]REPOSITORY[:TAG][@DIGEST]")
        command.add_argument("--key", required=True, metavar="FILE", help="the key; COSIGN_PASSWORD opens it")
        _connection(command)
        command.set_defaults(run=_sign if name == "sign" else _verify)


def _connection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--username", help="user of the registry; the password is asked or read from a pipe")
    parser.add_argument(
        "--insecure", action="store_true", help="plain http also for a host that is not this one"
    )
    parser.add_argument("--ca", metavar="FILE", help="certificates of the authority to trust")


def _search_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--registry", action="append", metavar="REGISTRY[/NAMESPACE]", help="look there too; may be repeated"
    )
    for name in ("language", "abi", "keyword", "category", "licence", "layout", "product"):
        parser.add_argument(f"--{name}", default="", metavar="VALUE", help=f"only images of this {name}")
    parser.add_argument("--signed", action="store_true", default=None, help="only images with a signature")
    parser.add_argument("--sort", default="", help="relevance, name, created or size")
    parser.add_argument("--limit", type=int, default=100, help="how many to show (default: 100)")
    parser.add_argument("--refresh", action="store_true", help="ask the registries again")
    _connection(parser)


def connection(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of a registry that a command was given; the password is asked for or read."""
    given: dict[str, Any] = {"insecure": options.insecure}
    given |= {"tls_verify": options.ca} if options.ca else {}
    if options.username:
        given |= {"username": options.username, "password": _password()}
    return given


def _password() -> str:
    return getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def _push(options: argparse.Namespace, made: Filter) -> int:
    told: dict[str, Any] = {name: getattr(options, name) for name in FACTS if getattr(options, name)}
    if options.keyword:
        told["keywords"] = tuple(options.keyword)
    if options.readme:
        told["readme"] = _text(options.readme)
    if options.example_config:
        told["example_config"] = _text(options.example_config)
    if options.schema:
        try:
            told["config_schema"] = json.loads(_text(options.schema))
        except ValueError as error:
            raise RequestError(f"the schema is no JSON: {error}", where=options.schema) from None
    image = made.push(
        options.reference,
        layout=options.layout,
        compress=options.compress,
        source=not options.no_source,
        key=options.sign,
        moved=_meter(),
        **told,
        **connection(options),
    )
    print(image)
    return 0


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise RequestError(f"the file cannot be read: {reason}", where=path, do="check the path") from None


def _pull(options: argparse.Namespace) -> int:
    from .filter import pull

    made = pull(options.reference, sha256=options.sha256, moved=_meter(), **connection(options))
    print(made, made.save(options.output or f"{made.name}.wasm"))
    return 0


def _search(options: argparse.Namespace) -> int:
    from .filter import search
    from .hub import images

    names = ("language", "abi", "keyword", "category", "licence", "layout", "product", "sort", "limit")
    given = {name: getattr(options, name) for name in names} | {"signed": options.signed}
    given |= connection(options) | ({"registries": options.registry} if options.registry else {})
    given |= {"progress": _say} if sys.stderr.isatty() else {}
    if options.run_name == "images":
        print(images(text=" ".join(options.text), **given))
    else:
        print(search(" ".join(options.text), refresh=options.refresh, **given))
    return 0


def _info(options: argparse.Namespace) -> int:
    from .hub import info

    print(info(options.reference, key=options.key, **connection(options)))
    return 0


def _login(options: argparse.Namespace) -> int:
    from .hub import login

    given = {"insecure": options.insecure} | ({"tls_verify": options.ca} if options.ca else {})
    username = options.username
    if not username:
        if not sys.stdin.isatty():
            raise RequestError("a login needs a user name", do="add --username USER")
        username = input("Username: ")
    done = login(options.registry, username, _password(), **given)
    print(f"{done.username} is logged in to {done.registry}; kept by {done.stored}")
    return 0


def _logout(options: argparse.Namespace) -> int:
    from .hub import logout

    where = logout(options.registry)
    print(f"removed from {where}" if where else f"there was no login of {options.registry}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from .hub import serve

    with serve(port=options.port) as server:
        print(f"serving {server.store.path} at {server.address} until interrupted", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.wait()
    return 0


def _gc(options: argparse.Namespace) -> int:
    from .hub import Store, gc

    swept = gc(Store(), untagged=not options.keep_untagged)
    print(f"freed {swept.freed:,} bytes; {swept.kept:,} are left in {swept.repositories} repositories")
    return 0


def _remove(options: argparse.Namespace) -> int:
    from .hub import parse_reference
    from .hub.place import opened

    name = parse_reference(options.reference)
    with opened(name, **connection(options)) as place:
        place.delete(name)
    print(f"removed {name}")
    return 0


def _keys(options: argparse.Namespace) -> int:
    import os

    from .hub import generate_keys

    password = "" if "COSIGN_PASSWORD" in os.environ else _password()
    private, public = generate_keys(options.prefix, password)
    print(f"written: {private} (keep it to yourself) and {public} (give it to others)")
    return 0


def _sign(options: argparse.Namespace) -> int:
    from .hub import sign

    made = sign(options.reference, options.key, **connection(options))
    print(f"signed {made[0].digest} with the key {made[0].key_id[:16]}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from .hub import verify

    for found in verify(options.reference, options.key, **connection(options)):
        print(f"{found.digest} is signed by the key {found.key_id[:16]} ({found.form})")
    return 0


def _say(text: str) -> None:
    print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _meter() -> Callable[[str, int, int], None] | None:
    """What shows how far a transfer is, where a person looks."""
    if not sys.stderr.isatty():
        return None

    def tell(what: str, done: int, total: int) -> None:
        print(f"\r{what}: {done:,} of {total:,} bytes", end="\n" if done == total else "", file=sys.stderr)

    return tell
