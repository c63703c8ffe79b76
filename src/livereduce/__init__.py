"""Live reduction of neutron event and histogram streams, with the scientist's own Mantid scripts and without Mantid."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from livereduce.client import connect as connect

__all__ = ["__version__", "connect"]


def __getattr__(name: str) -> Any:
    if name == "connect":  # brings numpy and urllib with it, which `import livereduce` alone should not
        from livereduce.client import connect

        return connect
    raise AttributeError(f"module 'livereduce' has no attribute {name!r}")
