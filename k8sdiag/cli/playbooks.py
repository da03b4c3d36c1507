"""`k8sdiag playbooks`: the rules there are, one in full, and whether your own are right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from k8sdiag.cli.options import Playbooks
from k8sdiag.cli.refusal import CouldNotLook

app = typer.Typer(help="The rules: list them, show one, check your own.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_playbooks(playbooks: Playbooks = None) -> None:
    """One line a rule: id, severity, title."""
    from k8sdiag.cli.sources import load_playbooks

    for playbook in sorted(load_playbooks(playbooks or []), key=lambda item: (item.area, item.id)):
        print(f"{playbook.area + '/' + playbook.id:<52} {playbook.severity:<9} {playbook.words.title['en']}")


@app.command()
def show(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule's id.")], playbooks: Playbooks = None
) -> None:
    """A rule as it is written."""
    from difflib import get_close_matches

    from k8sdiag.playbook import bundled_folder, user_folder

    names = []
    for folder in (*(playbooks or []), user_folder(), bundled_folder()):
        for path in sorted(folder.glob("**/*.yaml")):
            if path.stem == rule:
                print(path.read_text(encoding="utf-8"), end="")
                return
            names.append(path.stem)
    near = get_close_matches(rule, names, n=3)
    raise CouldNotLook(f"no rule {rule!r}" + (f"; nearest: {', '.join(near)}" if near else ""))


@app.command()
def facts(
    kind: Annotated[str | None, typer.Argument(metavar="[KIND]", help="One kind of fact; all by default.")] = None,
) -> None:
    """What rules can ask about: the kinds of facts, their fields and what they are joined on."""
    from k8sdiag.facts import declared_fields, declared_keys

    for name, fields in declared_fields().items():
        if kind in (None, name):
            print(f"{name}  (joined on {', '.join(declared_keys()[name])})")
            for field, source in fields.items():
                print(f"  {field:<24} {source}")


@app.command()
def check(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of playbooks.")]) -> None:
    """Say what is wrong with the playbooks of a folder, as file:line."""
    from k8sdiag.playbook import PlaybookError, compile_folder

    if not folder.is_dir():
        raise CouldNotLook(f"{folder}: no such folder")
    try:
        count = len(compile_folder(folder))
    except PlaybookError as problem:
        raise CouldNotLook(str(problem)) from None
    print(f"{count} playbooks, no mistake")
