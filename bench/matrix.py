"""Which rule holds on which recording, before the vaguer gives way: the picture of precision.

A line a recording: the rules that hold, the first-ranked finding first and marked `*`; then what each rule holds on.
"""

import sys
from pathlib import Path

import yaml

from k8sdiag.diagnose import diagnose
from k8sdiag.engine import FactIndex, Rules
from k8sdiag.evidence import CLUSTER_SCOPED, Ref
from k8sdiag.facts import derive
from k8sdiag.kinds import parse_kind
from k8sdiag.playbook import bundled_folder, compile_folder
from k8sdiag.recording import load
from k8sdiag.relations import View, closure

RECORDINGS = Path(__file__).parent.parent / "recordings"


def main() -> int:
    playbooks = compile_folder(bundled_folder())
    rules, shown, wrong = Rules(playbooks), dict.fromkeys((p.id for p in playbooks), 0), 0
    for folder in sorted(path.parent for path in RECORDINGS.glob("*/scenario.yaml")):
        scenario = yaml.safe_load((folder / "scenario.yaml").read_text())
        subject = _subject(scenario, folder.name)
        snapshot = load(folder).with_deleted(subject)
        held = {f.playbook.id for f in rules.fire(FactIndex(derive(View(snapshot, closure(snapshot, subject)))))}
        for rule in held:
            shown[rule] += 1
        findings = diagnose(load(folder), subject, playbooks).findings
        if not scenario["expect"].get("rule", "-"):  # healthy: what is only information may be said
            findings = tuple(finding for finding in findings if finding.severity != "info")
        first = findings[0].rule if findings else "-"
        expected = scenario["expect"].get("rule", first) or "-"
        wrong += first != expected
        others = sorted(held - {first})
        mark = "*" if first == expected else f"* (expected {expected})"
        print(f"{folder.name:<44} {first}{mark} {' '.join(others)}")
    silent = sorted(rule for rule, count in shown.items() if not count)
    print(f"\n{len(playbooks)} rules; silent everywhere: {', '.join(silent) or 'none'}; wrong first findings: {wrong}")
    return int(bool(silent or wrong))


def _subject(scenario: dict[str, str], name: str) -> Ref:
    word, _, rest = scenario["subject"].partition("/")
    kind = parse_kind(word)
    assert kind is not None
    return Ref(kind.kind, "" if kind.kind in CLUSTER_SCOPED else scenario.get("namespace", name), rest)


if __name__ == "__main__":
    sys.exit(main())
