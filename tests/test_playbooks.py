"""Playbooks: mistakes are named as file:line, the bundled ones are as the format asks, and compiling happens once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from k8sdiag import playbook as module
from k8sdiag.playbook import Playbook, PlaybookError, bundled_folder, compile_folder, load, load_folder
from k8sdiag.wording import fill

GOOD = """id: mine
severity: error
level: cause
when:
  - container: {oom: true}
title: {en: Title}
cause: {en: "Container {name}"}
fixes:
  - title: {en: Fix}
    commands: ["kubectl get pod {pod}"]
"""
BUNDLED = compile_folder(bundled_folder())


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def folder_with(tmp_path: Path, text: str, name: str = "mine.yaml") -> Path:
    folder = tmp_path / "rules"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("severity: error", "severty: error", 2, "unknown key 'severty' (did you mean 'severity'?)"),
        ("severity: error", "severity: bad", 2, "severity 'bad' is none of critical, error, warning, info"),
        ("level: cause", "level: deep", 3, "level 'deep' is none of symptom, class, cause"),
        ("id: mine", "id: other", 1, "id 'other' differs from the file's name 'mine'"),
        ("container: {oom: true}", "contaner: {oom: true}", 5, "unknown fact 'contaner' (did you mean 'container'?)"),
        ("{oom: true}", "{oomed: true}", 5, "fact 'container' has no field 'oomed' (did you mean 'oom'?)"),
        ("{oom: true}", "{reason: /(/}", 5, "'/(/': missing ), unterminated subpattern"),
        ("{name}", "{nmae}", 7, "nothing is called {nmae} here (did you mean 'name'?)"),
        ("{pod}", "{pood}", 10, "nothing is called {pood} here (did you mean 'pod'?)"),
        ("title: {en: Title}", "title: Title", 6, "texts are keyed by language: {en: ...}"),
        ("{en: Title}", "{en: The node, too}", 6, "'too' is no language: quote a text that has a comma"),
        ("{en: Fix}", "{en: Fix, de: 3}", 9, "the text in 'de' is no text"),
        ("cause: ", "because: ", 7, "unknown key 'because' (did you mean 'cause'?)"),
        ("{oom: true}", "{oom: true}\n    on: [moon]", 6, "facts 'container' are not joined on 'moon'"),
        ("{oom: true}", "{oom: true}\n    show: [limit]", 6, "fact 'container' has no field 'limit'"),
        ("severity: error", "severity: error: bad", 2, "not YAML"),
    ],
)
def test_a_mistake_is_named_with_file_and_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    folder = folder_with(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(PlaybookError) as caught:
        compile_folder(folder)
    assert str(caught.value).startswith(f"{folder / 'mine.yaml'}:{line}: {said}")


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    folder_with(tmp_path, GOOD.replace("level: cause", "level: deep"))
    folder = folder_with(tmp_path, "[]", "another.yaml")
    with pytest.raises(PlaybookError) as caught:
        compile_folder(folder)
    assert len(str(caught.value).splitlines()) == 2


def test_an_alias_bomb_is_no_bomb(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(PlaybookError, match="unknown key 'a0'"):
        compile_folder(folder_with(tmp_path, "\n".join(lines)))


def test_a_users_playbook_replaces_a_bundled_one(tmp_path: Path) -> None:
    text = GOOD.replace("id: mine", "id: oom-killed").replace("en: Title", "en: Ours")
    folder = folder_with(tmp_path, text, "oom-killed.yaml")
    found = {item.id: item for item in load([folder])}
    assert found["oom-killed"].words.title["en"] == "Ours"
    assert len(found) == len(BUNDLED)


def test_compiled_once_and_again_when_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_with(tmp_path, GOOD)
    first = load_folder(folder)
    monkeypatch.setattr(module, "compile_folder", lambda _: pytest.fail("compiled although nothing changed"))
    assert load_folder(folder) == first
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (folder / "mine.yaml").write_text(GOOD.replace("en: Title", "en: Another title"))
    assert load_folder(folder)[0].words.title["en"] == "Another title"


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b'{"version": "0.1.0", "stamp": "x"}'])
def test_a_damaged_cache_is_compiled_anew(tmp_path: Path, damage: bytes) -> None:
    folder = folder_with(tmp_path, GOOD)
    load_folder(folder)
    for path in (tmp_path / "cache" / "k8sdiag").iterdir():
        path.write_bytes(damage)
    assert [item.id for item in load_folder(folder)] == ["mine"]


def test_a_home_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert [item.id for item in load_folder(folder_with(tmp_path, GOOD))] == ["mine"]


# Conformance of the bundled playbooks


@pytest.mark.parametrize("playbook", BUNDLED, ids=lambda item: item.id)
def test_bundled(playbook: Playbook) -> None:
    assert playbook.words.symptom["en"], "says what is seen"
    assert playbook.words.fixes, "says how to mend it"
    assert playbook.words.verify["en"], "says how one knows it is mended"
    assert playbook.modes, "says which modes of the catalogue it is about"
    for text in (playbook.words.title["en"], playbook.words.cause["en"]):
        assert "\n" not in text
    for fix in playbook.words.fixes:
        for command in fix.commands:
            assert not re.search(r"\S\.$", command), "commands are ready to paste"


def test_superseded_rules_exist_and_go_in_one_direction() -> None:
    above = {item.id: set(item.supersedes) for item in BUNDLED}
    for rule, lesser in above.items():
        assert not lesser - set(above), f"{rule} supersedes what does not exist: {lesser - set(above)}"
        for other in lesser:
            assert rule not in above[other], f"{rule} and {other} supersede each other"


def test_optional_parts_hide_empty_values() -> None:
    """A value that an optional fact would give stands in [[ ]], or the sentence has a hole."""
    for playbook in BUNDLED:
        optional = {condition.name for condition in playbook.when if condition.optional}
        for text in (playbook.words.title["en"], playbook.words.symptom["en"], playbook.words.cause["en"]):
            bare = re.sub(r"\[\[.*?\]\]", "", text, flags=re.DOTALL)
            for name in re.findall(r"\{([a-z]\w*)\.", bare):
                assert name not in optional, f"{playbook.id}: {{{name}.…}} may be empty: put it in [[ ]]"
        assert "[[" not in fill(playbook.words.cause["en"], {})


def test_no_named_group_hides_a_field_that_the_texts_use() -> None:
    """Named groups and the anchor's fields share one name space: `{what}` was once an error message."""
    from k8sdiag.facts import declared_fields
    from k8sdiag.match import groups_of

    for item in BUNDLED:
        groups = set().union(*(groups_of(spec) for condition in item.when for _, spec in condition.fields))
        texts = [
            item.group,
            *item.words.title.values(),
            *item.words.symptom.values(),
            *item.words.cause.values(),
            *item.words.verify.values(),
        ]
        for fix in item.words.fixes:
            texts += [*fix.title.values(), *fix.risk.values(), fix.patch, *fix.commands]
        hidden = groups & set(declared_fields()[item.when[0].kind])
        used = {name for name in hidden if any(f"{{{name}}}" in text for text in texts)}
        assert not used, f"{item.id}: call the groups otherwise: {used}"


def test_every_playbook_is_yaml_to_every_reader() -> None:
    """libyaml takes more than PyYAML's own loader, which is what there is without it."""
    import yaml

    for path in sorted(bundled_folder().glob("*/*.yaml")):
        assert isinstance(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader), dict), path


def test_commands_of_ours_are_commands_there_are() -> None:
    for playbook in BUNDLED:
        for fix in playbook.words.fixes:
            for command in fix.commands:
                if command.startswith("k8sdiag "):
                    assert command.split()[1] in ("pod", "check", "scan"), f"{playbook.id}: {command}"


@pytest.mark.parametrize("text", ["a", "a:", "1 ", "bind ", "failed ", "/x", "lookup ", '="', "connect: "])
def test_no_expression_takes_for_ever(text: str) -> None:
    """Log lines are hostile: a line of 2,000 characters, or a message of 8,192, must not hold a rule up."""
    import time

    from k8sdiag.match import MAX_LINE, Spec, holds

    def specs(spec: Spec) -> list[Spec]:
        if spec[0] in ("any", "not"):
            return [found for inner in (spec[1] if spec[0] == "any" else [spec[1]]) for found in specs(inner)]
        return [spec] if spec[0] == "re" else []

    slow = []
    for playbook in BUNDLED:
        for condition in (*playbook.when, *playbook.unless):
            for _, spec in condition.fields:
                for inner in specs(spec):
                    long_line = condition.kind in ("log", "journal", "trace")
                    value = (text * 2000)[:2000] if long_line else (text * MAX_LINE)[:MAX_LINE]
                    begin = time.process_time()
                    holds(inner, value)
                    if time.process_time() - begin > 0.5:
                        slow.append(f"{playbook.id}: {inner[1][:60]}")
    assert not slow
