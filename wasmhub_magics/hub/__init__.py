"""Publish and find filters: OCI images in a registry or in the local store."""

from __future__ import annotations

from .about import About
from .catalogue import SearchResult, images, search
from .consumers import Consumer
from .credentials import Login, login, logout
from .entry import Entry
from .image import Image
from .index import Query
from .info import Info, carried, info
from .keys import PrivateKey, PublicKey, generate_keys
from .policy import Policy, Rule, load_policy
from .pull import pull
from .push import push
from .quota import Swept, gc
from .reference import Reference, parse_reference
from .serve import Server, serve
from .signature import Signature, sign, verify
from .statement import provenance, sbom
from .store import Store

__all__ = [
    "About",
    "Consumer",
    "Entry",
    "Image",
    "Info",
    "Login",
    "Policy",
    "PrivateKey",
    "PublicKey",
    "Query",
    "Reference",
    "Rule",
    "SearchResult",
    "Server",
    "Signature",
    "Store",
    "Swept",
    "carried",
    "gc",
    "generate_keys",
    "images",
    "info",
    "load_policy",
    "login",
    "logout",
    "parse_reference",
    "provenance",
    "pull",
    "push",
    "sbom",
    "search",
    "serve",
    "sign",
    "verify",
]
