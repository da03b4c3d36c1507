"""docs/catalogue.md: every failure mode and the rules that name it. The last column is made, not written."""

from __future__ import annotations

import re
from pathlib import Path

from k8sdiag.playbook import bundled_folder, compile_folder

PAGE = Path(__file__).parent.parent / "docs" / "catalogue.md"
ROW = re.compile(r"^\| ([A-Z]\d\d) \| (.*?) \| (.*?) \| (.*?) \|$")


def rows() -> dict[str, str]:
    """Mode to its row, up to the column of rules."""
    found = (ROW.match(line) for line in PAGE.read_text(encoding="utf-8").splitlines())
    return {row.group(1): f"| {row.group(1)} | {row.group(2)} | {row.group(3)} |" for row in found if row}


def rules_by_mode() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for playbook in sorted(compile_folder(bundled_folder()), key=lambda item: item.id):
        for mode in playbook.modes:
            found.setdefault(mode, []).append(playbook.id)
    return found


def test_rules_name_modes_that_there_are() -> None:
    assert not set(rules_by_mode()) - set(rows())


def test_the_page_names_the_rules_of_each_mode(update: bool) -> None:
    rules, text = rules_by_mode(), PAGE.read_text(encoding="utf-8")
    made = [f"{row} {' '.join(f'`{rule}`' for rule in rules.get(mode, [])) or '-'} |" for mode, row in rows().items()]
    if update:
        head = text[: text.index("| P01 |")]
        PAGE.write_text(head + "\n".join(made) + "\n", encoding="utf-8")
    assert [line for line in PAGE.read_text(encoding="utf-8").splitlines() if ROW.match(line)] == made
