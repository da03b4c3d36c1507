"""Behaviours: each example of docs/lab-behaviours.md, what is refused, and that any text is one or the other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from k8sdiag.minicluster.runtimes.base import Health, Limits
from k8sdiag.minicluster.runtimes.behaviours import BEHAVIOUR, BadBehaviour, read_behaviour
from k8sdiag.minicluster.runtimes.images import BadTable, read_overrides
from k8sdiag.minicluster.runtimes.registries import FAILURES
from k8sdiag.quantity import parse_duration, parse_quantity
from tests.minicluster.runtimes.rig import Rig, empty

DOCUMENT = Path(__file__).parents[3] / "docs" / "lab-behaviours.md"
EXAMPLES = re.findall(r"```yaml\n# (.*?)\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


def seconds_in(text: str) -> float:
    found = re.search(r"after (\w+)", text)
    assert found, text
    return parse_duration(found.group(1)) or 0.0


def rig_of(outcome: str, steps: str) -> Rig:
    limit = re.search(r"limit (\w+)", outcome)
    limits = Limits(memory=int(parse_quantity(limit.group(1)) or 0)) if limit else Limits()
    wait = 1.0 if outcome.startswith("stopped") else seconds_in(outcome)
    return Rig().run(annotations={BEHAVIOUR + "app": steps}, limits=limits, seconds=wait, mounts=[empty("/cache")])


@pytest.mark.parametrize(("outcome", "text"), EXAMPLES, ids=[outcome for outcome, _ in EXAMPLES])
def test_each_example_does_what_it_says(outcome: str, text: str) -> None:
    if outcome == "registry":
        assert read_overrides(text).images
        return
    if outcome.startswith("pod: "):
        text = yaml.safe_load(text)["metadata"]["annotations"][BEHAVIOUR + "app"]
    rig = rig_of(outcome, text)
    stopped = re.match(r"stopped with (\w+): ", outcome)
    if stopped:
        rig.stop(parse_duration(stopped.group(1)) or 0.0)
    claims = re.split(r'(?:, |: )(?=(?:[^"]*"[^"]*")*[^"]*$)', outcome)
    assert [claim for claim in claims if not check(rig, claim)] == []


def check(rig: Rig, claim: str) -> bool:
    """Whether a claim of an example's first line is understood; it is held against the container."""
    words = claim.split(" ")
    if words[0] in ("pod", "stopped", "limit"):
        return True
    if words[0] == "exited":
        assert rig.state.exit_code == int(words[1])
    elif words[0] == "running":
        assert rig.state.state == "running"
    elif words[0] in ("log", "stderr"):
        assert claim.partition(" ")[2].strip('"') in rig.lines
    elif words[0] == "reason":
        assert rig.state.reason == words[1]
    elif words[0] == "message":
        assert rig.state.message == claim.partition(" ")[2].strip('"')
    elif words[0] == "GET":
        port, _, path = words[1][1:].partition("/")
        heard = rig.get(f"/{path}", int(port))
        if words[2] == "refused":
            assert heard.over == (1, "connection refused")
        else:
            assert heard.data.split(b" ")[1:2] == ([] if words[2] == "nothing" else [words[2].encode()])
    elif words[0] == "health":
        assert rig.sandbox is not None
        assert rig.talk(Health(rig.sandbox.id, int(words[1][1:])), seconds=1).data == words[2].encode()
    else:
        return use(rig, words)
    return True


def use(rig: Rig, words: list[str]) -> bool:
    if words[0] in ("memory", "disk"):
        assert getattr(rig.state, words[0]) == parse_quantity(words[1])
    elif words[0] == "cpu":
        assert rig.state.cpu == parse_quantity(words[1])
    elif words[0] == "volume":
        assert rig.state.volumes[words[1]] == parse_quantity(words[2])
    elif words[0] == "lines":
        assert len(rig.lines) == int(words[1])
    elif words[0] == "lookup":
        assert rig.exec("nslookup", words[1]).over == (1, "")
    else:
        return False
    return True


def test_the_document_names_every_way_a_pull_fails() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert {word for word in FAILURES if f"`{word}`" not in text} == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[{after: 2s, lgo: boom}]", "[0].lgo is not known: a step is one of log"),
        ("[{log: a}, {after: soon, log: b}]", "[1].after must be a duration such as 2s or 1m30s"),
        ("[{memory: lots}]", "[0].memory must be a quantity such as 64Mi"),
        ("[{exit: 300}]", "[0].exit must be a whole number from 0 to 255"),
        ("[{listen: 70000}]", "[0].listen must be a whole number from 1 to 65535"),
        ("[{http: {path: ready}}]", "[0].http.path must be a path such as /ready"),
        ("[{http: {path: /, stauts: 1}}]", "[0].http.stauts is not known: one of path"),
        ("[{log: a, exit: 1}]", "[0] does two things (log, exit)"),
        ("[{after: 1s}]", "[0] has nothing to do"),
        ("[{on: USR9, exit: 1}]", "[0].on must be one of TERM"),
        ("[{exit: 1, every: 1s}]", "[0] cannot be repeated"),
        ("[{log: a, volume: b}]", "[0].volume is not known: a log step has"),
        ("a: [", "it is not YAML"),
        ("just a text", "it must be a list of steps"),
        ("[1]", "[0] must be a mapping"),
    ],
)
def test_what_cannot_be_is_refused_with_its_path(text: str, said: str) -> None:
    with pytest.raises(BadBehaviour) as refused:
        read_behaviour(text)
    assert str(refused.value).startswith(said)
    rig = Rig().run(annotations={BEHAVIOUR + "app": text})
    assert rig.failure is not None
    assert (rig.failure.reason, said in rig.failure.message) == ("CreateContainerError", True)
    assert rig.failure.message.startswith("annotation lab.k8sdiag.dev/behaviour.app: ")


KEYS = st.sampled_from(
    "log stderr memory cpu disk listen http grpc file lookup exit after at attempt on repeat every volume over".split()
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1s", "2Mi", "TERM", "/x", 80, 3]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | KEYS, inner, max_size=3),
    max_leaves=8,
)


def said_of(read: Callable[[str], object], text: str) -> str:
    """What is said of a text that is refused; ''."""
    try:
        read(text)
    except (BadBehaviour, BadTable) as refused:
        return str(refused) or "nothing"
    return ""


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_any_list_is_a_behaviour_or_refused_with_a_path(steps: list[dict[str, object]]) -> None:
    said = said_of(read_behaviour, yaml.safe_dump(steps))
    assert re.match(r"\[\d+\]|it |$", said)
    assert "\n" not in said


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_behaviour_or_refused(text: str) -> None:
    assert said_of(read_behaviour, text) != "nothing"
    assert said_of(read_overrides, text) != "nothing"
