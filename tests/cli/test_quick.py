"""What is understood without typer is what typer understands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from k8sdiag.cli import build, diagnose, quick, sources, subjects

Asked = tuple[object, ...]
WORDS = st.sampled_from(
    "pod web api po/web -- - -n --namespace --namespace=shop -nshop --name shop --from --from=rec --at --at=now -o"
    " -ojson json --output=text --output=xml --context c --context= --kubeconfig k --lab --lab=1 --fail-on warning"
    " --fail-on=bad -h --help --version --playbooks --request-timeout 3s =".split()
)


def by_typer(words: list[str], monkeypatch: pytest.MonkeyPatch) -> Asked | None:
    """What would be asked, where typer lets these words through."""
    with asking(monkeypatch) as seen, pytest.raises(SystemExit):
        build(words)(words, prog_name="k8sdiag")
    return seen[0] if seen else None


def by_quick(said: quick.PodWords, monkeypatch: pytest.MonkeyPatch) -> Asked:
    with asking(monkeypatch) as seen:
        assert quick.run(said) == 0
    return seen[0]


@contextmanager
def asking(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Asked]]:
    """Nothing is looked at; what was asked is kept."""
    seen: list[Asked] = []

    def answer(*asked: object) -> int:
        seen.append(asked)
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(subjects, "answer", answer)
        yield seen


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(rest=st.lists(WORDS, max_size=6))
@example(rest=["web"])
@example(rest=["-n", "shop", "web", "-o", "json", "--fail-on", "warning", "--kubeconfig=k", "--context", "c"])
@example(rest=["web", "--from", "rec", "--at=now", "--namespace=shop"])
@example(rest=["web", "--lab"])
def test_both_come_to_the_same(rest: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_lab_kubeconfig", lambda: "the lab's")
    said = quick.understood(["pod", *rest])
    if said is not None:
        assert by_quick(said, monkeypatch) == by_typer(["pod", *rest], monkeypatch)


@pytest.mark.parametrize(
    "words",
    [
        ["pod", "web"],
        ["pod", "web", "-n", "shop"],
        ["pod", "--namespace=shop", "web", "-o", "json"],
        ["pod", "web", "--kubeconfig", "k", "--context", "c"],
        ["pod", "web", "--from", "rec", "--at", "now"],
        ["pod", "web", "--lab"],
    ],
)
def test_the_plain_ones_are_understood(words: list[str]) -> None:
    assert quick.understood(words) is not None


def test_names_and_defaults_are_the_commands_own() -> None:
    defaults = dict(zip(reversed(diagnose.pod.__code__.co_varnames[: diagnose.pod.__code__.co_argcount]),
                        reversed(diagnose.pod.__defaults__ or ()), strict=False))  # fmt: skip
    for name, value in asdict(quick.PodWords("web", recording=Path("rec"))).items():
        assert name == "name" or defaults[name] == (None if name == "recording" else value)


def test_completion_is_typers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_K8SDIAG_COMPLETE", "complete_bash")
    assert quick.understood(["pod", "web"]) is None
