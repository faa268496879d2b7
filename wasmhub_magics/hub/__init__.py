"""Publish and find filters: OCI images in a registry or in the local store."""

from __future__ import annotations

from .catalogue import SearchResult, search
from .credentials import Login, login
from .image import Image
from .pull import pull
from .push import push
from .reference import Reference, parse_reference
from .store import Store

__all__ = [
    "Image",
    "Login",
    "Reference",
    "SearchResult",
    "Store",
    "login",
    "parse_reference",
    "pull",
    "push",
    "search",
]
