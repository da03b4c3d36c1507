"""The made recordings are what their scripts make: nobody edits the one and forgets the other."""

from pathlib import Path

import pytest

from tests.incidents.catalogue import all_incidents

RECORDINGS = Path(__file__).parent.parent / "recordings"


@pytest.mark.parametrize("name", sorted(all_incidents()))
def test_is_what_its_script_makes(name: str) -> None:
    made = all_incidents()[name]().files(name)
    there = {
        str(path.relative_to(RECORDINGS / name)): path.read_bytes()
        for path in (RECORDINGS / name).rglob("*")
        if path.is_file() and path.name != "expected.yaml"
    }
    assert there == made, f"run `python -m tests.incidents {name}`"
