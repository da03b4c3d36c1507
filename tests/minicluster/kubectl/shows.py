"""Which test shows which command: docs/kubectl.md is made from what stands here.

A test says what it shows, in the words a reader would type; the row in the docs follows from it:

    @shows("kubectl apply --server-side", "kubectl apply --server-side --force-conflicts")
    def test_who_owns_a_field(here: Kubectl) -> None: ...

`pytest tests/minicluster/kubectl/test_shows.py --update` writes the table. A command may be shown by several tests, and
words in capitals stand for names (`kubectl get NAME -o yaml`). The fixtures are in conftest.py: `here` is kubectl in a
namespace of the test's own, called `namespace`; `kubectl` is the same without one. All of it runs in one lab for each
worker: whoever changes a node or another object that is the cluster's puts it back.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])

FOLDER = Path(__file__).parent


def shows(*commands: str) -> Callable[[Test], Test]:
    """Say which commands a test shows."""
    wrong = [command for command in commands if not command.startswith("kubectl ")]
    assert commands
    assert not wrong, wrong

    def unchanged(test: Test) -> Test:
        return test

    return unchanged


def shown(folder: Path = FOLDER) -> dict[str, list[str]]:
    """Each command and the tests that show it (`test_apply.py::test_twice`), as their files say."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("test_*.py")):
        for test, commands in claims(path.read_text(encoding="utf-8")):
            for command in commands:
                found.setdefault(command, []).append(f"{path.name}::{test}")
    return found


def claims(source: str) -> Iterator[tuple[str, list[str]]]:
    """The tests of a file that say what they show."""
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "shows":
                assert node.name.startswith("test_"), node.name
                yield node.name, [ast.literal_eval(argument) for argument in decorator.args]


def table(found: dict[str, list[str]]) -> list[str]:
    """The rows of the page, in the commands' order."""
    return [f"| `{command}` | {' '.join(f'`{test}`' for test in tests)} |" for command, tests in sorted(found.items())]
