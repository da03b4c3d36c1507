"""`python -m tests.incidents [NAME ...]`: write the made recordings (all, or those named)."""

import shutil
import sys
from pathlib import Path

from tests.incidents.catalogue import all_incidents

FOLDER = Path(__file__).parent.parent.parent / "recordings"


def main(names: list[str]) -> None:
    incidents = all_incidents()
    for name in names or sorted(incidents):
        target = FOLDER / name
        expected = (target / "expected.yaml").read_bytes() if (target / "expected.yaml").exists() else None
        shutil.rmtree(target, ignore_errors=True)
        incidents[name]().write(FOLDER, name)
        if expected is not None:
            (target / "expected.yaml").write_bytes(expected)


main(sys.argv[1:])
