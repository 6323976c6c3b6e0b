"""Hermes: the self-hosted real-time layer of a web product. ``from hermes import Publisher`` publishes from any Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hermes.app import create_app as create_app
    from hermes.publishing import Publisher as Publisher

__version__ = "0.1.0"
__all__ = ["Publisher", "__version__", "create_app"]

_WHERE = {"Publisher": "hermes.publishing", "create_app": "hermes.app"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: a publisher needs no web server."""
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'hermes' has no attribute {name!r}")
