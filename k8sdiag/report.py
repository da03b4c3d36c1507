"""A playbook that holds, put into words: its texts filled, its proof gathered, its confidence weighed."""

from __future__ import annotations

from typing import Any

from k8sdiag.engine import Fired, Match
from k8sdiag.evidence import Ref, Snapshot
from k8sdiag.facts import declared_fields
from k8sdiag.finding import Finding, Fix, Proof
from k8sdiag.match import holds
from k8sdiag.pasted import as_accepted, risk_of
from k8sdiag.patterns import regex
from k8sdiag.playbook import FixText, Text
from k8sdiag.wording import fill, text_of

MAX_PROOFS = 14


def finding_of(fired: Fired, affects: list[Ref], snapshot: Snapshot, language: str = "en") -> Finding:
    """The finding of one fired playbook, in one language (English where it has no other)."""
    playbook, words, values = fired.playbook, fired.playbook.words, values_of(fired)
    subject = next(match.fact.ref for match in fired.matches if match.condition.name == playbook.subject)
    return Finding(
        rule=playbook.id,
        title=fill(_in(words.title, language), values),
        severity=playbook.severity,
        confidence=_confidence(fired, snapshot),
        subject=subject,
        symptom=_sentence(fill(_in(words.symptom, language), values)),
        cause=_sentence(fill(_in(words.cause, language), values)),
        evidence=tuple(_proofs(fired)),
        fixes=_fixes(fired, values, language),
        verify=fill(_in(words.verify, language), values),
        links=tuple(words.links),
        group=fill(playbook.group, values) if playbook.group else "",
        affects=tuple(affects),
    )


def group_key(fired: Fired, finding: Finding) -> str:
    """What findings of one rule must share to have one cause: what the playbook says, else their owner, else the
    subject itself."""
    if finding.group:
        return finding.group
    owners = fired.anchor.keys.get("workload")
    return owners[-1] if owners else str(finding.subject)


def values_of(fired: Fired) -> dict[str, Any]:
    """What {placeholders} stand for: the anchor's fields by name, others' as name.field, and named groups."""
    values: dict[str, Any] = {}
    for match in reversed(fired.matches):
        for name, value in match.fact.fields.items():
            values[f"{match.condition.name}.{name}"] = value
    values |= fired.anchor.fields
    for match in reversed(fired.matches):
        values |= match.groups
    return values


def _in(text: Text, language: str) -> str:
    return text.get(language) or text["en"]


_OWN_WORD = regex(r"(?:init |sidecar |ephemeral )?container |sidecar |the ")


def _sentence(text: str) -> str:
    """With a capital, where a word of our own begins it: names and field names stay as they are."""
    return text[:1].upper() + text[1:] if _OWN_WORD.match(text) else text


def _offered(fix: FixText, fired: Fired) -> bool:
    return all(holds(spec, fired.anchor.fields.get(name)) for name, spec in fix.when)


def _fixes(fired: Fired, values: dict[str, Any], language: str) -> tuple[Fix, ...]:
    """The fixes that are offered. One whose commands all do not suit the object goes, unless it is the last."""
    offered = [fix for fix in fired.playbook.words.fixes if _offered(fix, fired)]
    made = [(fix, _fix(fix, values, language)) for fix in offered]
    kept = [done for fix, done in made if done.commands or not fix.commands]
    return tuple(kept or [done for _, done in made])


def _fix(fix: FixText, values: dict[str, Any], language: str) -> Fix:
    commands = [fill(command, values, quote=True) for command in fix.commands]
    risks = dict.fromkeys([fill(_in(fix.risk, language), values), *map(risk_of, commands)])
    pasted = dict.fromkeys(line for command in commands for line in as_accepted(command) if line)
    risk = " ".join(risk for risk in risks if risk)
    return Fix(fill(_in(fix.title, language), values), tuple(pasted), fill(fix.patch, values), risk)


def _confidence(fired: Fired, snapshot: Snapshot) -> float:
    """The playbook's own, raised by what strengthens it and lowered where evidence was out of reach."""
    confidence = fired.playbook.confidence
    confidence += 0.03 * sum(match.condition.optional for match in fired.matches)
    if any(gap.effect and gap.reason != "not in the recording" for gap in snapshot.gaps):
        confidence *= 0.9
    return round(min(confidence, 0.99), 2)


def _proofs(fired: Fired) -> list[Proof]:
    found: dict[tuple[str, str], Proof] = {}
    for match in fired.matches:
        for proof in (*_of_match(match), *_shown(match)):
            if proof.text:
                found.setdefault((proof.ref, proof.text), proof)
    return list(found.values())[:MAX_PROOFS]


def _of_match(match: Match) -> list[Proof]:
    """A fact's own proof; of long texts (logs, journals) the line that was found."""
    fact = match.fact
    if fact.kind in ("log", "journal", "trace") and match.lines and fact.proof:
        first = fact.proof[0]
        by_text = {proof.text: proof for proof in fact.proof}
        return [by_text.get(line) or Proof(first.source, first.ref, "", line) for line in dict.fromkeys(match.lines)]
    return list(fact.proof)


def _shown(match: Match) -> list[Proof]:
    """The fields a playbook asks to show, under the path they come from."""
    fact, found = match.fact, []
    for name in match.condition.show:
        value = text_of(fact.fields.get(name), name)
        path = declared_fields()[fact.kind][name]
        if value:
            head = path.split(",")[0].replace(
                "[]", f"[{fact.fields.get('name') or fact.fields.get('container') or ''}]"
            )
            source = "spec" if path.startswith("spec") else "status" if path.startswith("status") else "object"
            label = head if "." in head and " " not in head else name
            found.append(Proof(source, str(fact.ref), "", f"{label}: {value}"))
    return found
