"""Rules over facts: anchors, joins, what must not hold, and the vaguer giving way to the more telling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from k8sdiag.diagnose import explain
from k8sdiag.engine import FactIndex, Fired, Rules
from k8sdiag.evidence import Ref
from k8sdiag.facts import Fact
from k8sdiag.playbook import Playbook, compile_folder


def container(pod: str, name: str = "app", node: str = "n1", owner: str = "", **fields: Any) -> Fact:
    keys: dict[str, tuple[str, ...]] = {"container": (f"s/{pod}/{name}",), "pod": (f"s/{pod}",), "node": (node,)}
    if owner:
        keys["workload"] = (owner,)
    return Fact("container", Ref("Pod", "s", pod), {"name": name, "pod": pod, **fields}, keys)


def log(pod: str, name: str = "app", text: str = "") -> Fact:
    keys: dict[str, tuple[str, ...]] = {"container": (f"s/{pod}/{name}",), "pod": (f"s/{pod}",)}
    return Fact("log", Ref("Pod", "s", pod), {"text": text, "last": text}, keys)


def node(name: str, **fields: Any) -> Fact:
    return Fact("node", Ref("Node", "", name), {"name": name, **fields}, {"node": (name,)})


def rule(folder: Path, name: str, when: str, level: str = "cause", extra: str = "") -> None:
    (folder / f"{name}.yaml").write_text(
        f"id: {name}\nseverity: error\nlevel: {level}\ntitle: {{en: T}}\ncause: {{en: C}}\nfixes: [{{title: {{en: F}}}}]\n"  # noqa: E501
        f"when:\n{when}\n{extra}\n"
    )


def fire(folder: Path, *facts: Fact) -> list[Fired]:
    return Rules(compile_folder(folder)).fire(FactIndex(facts))


def holds_for(fired: list[Fired]) -> set[tuple[str, str]]:
    return {(item.playbook.id, item.anchor.ref.name) for item in fired}


def test_a_rule_holds_once_for_each_anchor(tmp_path: Path) -> None:
    rule(tmp_path, "oom", "  - container: {oom: true}")
    assert holds_for(fire(tmp_path, container("a", oom=True), container("b", oom=False), container("c", oom=True))) == {
        ("oom", "a"),
        ("oom", "c"),
    }


def test_other_facts_are_joined_on_the_most_specific_key(tmp_path: Path) -> None:
    rule(tmp_path, "module", "  - container: {crashing: true}\n  - log: {text: /No module/}")
    facts = [
        container("a", "app", crashing=True),
        log("a", "sidecar", "No module"),
        container("b", crashing=True),
        log("b", "app", "No module"),
    ]
    assert holds_for(fire(tmp_path, *facts)) == {("module", "b")}


def test_on_says_what_to_join(tmp_path: Path) -> None:
    rule(tmp_path, "down", "  - container: {ready: false}\n  - node: {ready: 'False'}\n    on: [node]")
    facts = [container("a", node="n1", ready=False), container("b", node="n2", ready=False), node("n2", ready="False")]
    assert holds_for(fire(tmp_path, *facts)) == {("down", "b")}


def test_unless_keeps_a_rule_silent(tmp_path: Path) -> None:
    rule(tmp_path, "exit", "  - container: {crashing: true}", extra="unless:\n  - log: {text: /panic/}")
    facts = [
        container("a", crashing=True),
        log("a", text="panic: boom"),
        container("b", crashing=True),
        log("b", text="ok"),
    ]
    assert holds_for(fire(tmp_path, *facts)) == {("exit", "b")}


def test_optional_conditions_only_strengthen(tmp_path: Path) -> None:
    rule(tmp_path, "oom", "  - container: {oom: true}\n  - log: {text: /killed/}\n    optional: true")
    fired = fire(tmp_path, container("a", oom=True), container("b", oom=True), log("b", text="killed"))
    assert {item.anchor.ref.name: len(item.matches) for item in fired} == {"a": 1, "b": 2}


def test_a_rule_without_an_equality_is_tried_on_every_fact(tmp_path: Path) -> None:
    rule(tmp_path, "many", "  - container: {restarts: '>= 3'}")
    assert holds_for(fire(tmp_path, container("a", restarts=5), container("b", restarts=1))) == {("many", "a")}


def test_a_field_that_is_a_list_leads_to_rules_by_each_value(tmp_path: Path) -> None:
    rule(tmp_path, "pressed", "  - node: {pressure: MemoryPressure}")
    assert holds_for(
        fire(tmp_path, node("n1", pressure=("DiskPressure", "MemoryPressure")), node("n2", pressure=()))
    ) == {("pressed", "n1")}


def kept(folder: Path, *facts: Fact) -> dict[tuple[str, str], list[str]]:
    return {
        (item.playbook.id, item.anchor.ref.name): [ref.name for ref in affects]
        for item, affects in explain(fire(folder, *facts))
    }


def test_the_vaguer_level_gives_way_on_the_same_container_only(tmp_path: Path) -> None:
    rule(tmp_path, "oom", "  - container: {oom: true}")
    rule(tmp_path, "loop", "  - container: {crashing: true}", level="symptom")
    facts = [container("a", "app", oom=True, crashing=True), container("a", "other", oom=False, crashing=True)]
    assert {(f.playbook.id, f.anchor.fields["name"]) for f, _ in explain(fire(tmp_path, *facts))} == {
        ("oom", "app"),
        ("loop", "other"),
    }


def test_siblings_of_one_workload_keep_their_own_findings(tmp_path: Path) -> None:
    rule(tmp_path, "oom", "  - container: {oom: true}", extra="supersedes: [exit]")
    rule(tmp_path, "exit", "  - container: {state: waiting}")
    facts = [
        container("a", oom=True, owner="Deployment/s/w"),
        container("b", state="waiting", owner="Deployment/s/w"),
    ]
    assert set(kept(tmp_path, *facts)) == {("oom", "a"), ("exit", "b")}


def test_a_node_explains_its_pods_where_the_rule_says_so(tmp_path: Path) -> None:
    rule(tmp_path, "down", "  - node: {ready: 'False'}", extra="supersedes: [unready]")
    rule(tmp_path, "unready", "  - container: {ready: false}")
    facts = [node("n1", ready="False"), container("a", ready=False), container("b", node="n2", ready=False)]
    assert kept(tmp_path, *facts) == {("down", "n1"): ["a"], ("unready", "b"): []}


def test_what_is_only_information_hides_nothing(tmp_path: Path) -> None:
    rule(tmp_path, "loop", "  - container: {crashing: true}", level="symptom")
    rule(tmp_path, "note", "  - container: {crashing: true}")
    text = (tmp_path / "note.yaml").read_text().replace("severity: error", "severity: info")
    (tmp_path / "note.yaml").write_text(text)
    assert set(kept(tmp_path, container("a", crashing=True))) == {("note", "a"), ("loop", "a")}


def test_every_playbook_may_be_an_anchor_of_its_kind() -> None:
    """The dispatch by value must find what trying every rule on every fact would find."""
    from k8sdiag.playbook import bundled_folder

    playbooks = compile_folder(bundled_folder())
    rules = Rules(playbooks)
    for playbook in playbooks:
        values: dict[str, Any] = {}
        for name, spec in playbook.when[0].fields:
            values[name] = spec[1] if spec[0] == "eq" else spec[1][0][1] if spec[0] == "any" else None
        fact = Fact(playbook.when[0].kind, Ref("Pod", "s", "x"), values, {})
        assert playbook.id in _ids(rules.candidates(fact)), playbook.id


def _ids(playbooks: Any) -> set[str]:
    return {item.id for item in playbooks if isinstance(item, Playbook)}
