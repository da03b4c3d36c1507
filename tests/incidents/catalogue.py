"""All incidents of this folder, found by being there."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from tests.incidents.build import INCIDENTS, Incident


def all_incidents() -> dict[str, Callable[[], Incident]]:
    """Name to the function that makes it."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in ("__init__", "__main__", "build", "catalogue"):
            import_module(f"tests.incidents.{path.stem}")
    return dict(INCIDENTS)
