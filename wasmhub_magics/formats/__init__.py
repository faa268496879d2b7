"""Requests as text: read from what people paste, written for where they want to take them."""

from __future__ import annotations

from .paste import read_request, read_requests
from .write import FORMS, write

__all__ = ["FORMS", "read_request", "read_requests", "write"]
