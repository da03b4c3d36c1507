"""Reports made of the worst text anybody could get into a cluster, for property tests."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from k8sdiag.evidence import Gap, Ref
from k8sdiag.finding import SEVERITIES, Finding, Fix, Group, Moment, Proof, Report, ScanReport

_TRICKS = (
    "\x1b[31mred\x1b[0m", "\x1b]8;;http://evil\x07link", "\x1b[2J", "\x1b", "\x9b31m", "\x07", "\x00", "\x7f", "\x85",
    "\r", "\r\n", "\n", "\t", "  ", "\u2028", "\u202eexe.txt", "\u2066", "\u2069", "\u200b", "\u200d", "\ufeff",
    "\ud800", "\udfff", "\ufffe", "\U000e0001", "\U000e0100", "e\u0301\u0301\u0301\u0301\u0301\u0301", "\u3164",
    "日本語", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "`", "```", "````\n", "~~~", "\n---\n", "\n...\n", "\n# x",
    "# ", "## x", "---", "1. x", "1) x",
    "- ", "| a | b |", "* ", "**", "__", "<b>", "</pre>", "</textarea><script>x()</script>", "<!--", "-->",
    "]]>", "<![CDATA[", "&amp;", "&#27;", "&", '"', "'", "\\", "\\n", "@everyone", "@org/team", "#1", "[x](http://y)",
    "![x](http://y)", "<http://y>", "{{ 7 * 7 }}", "{name}", "{0.__class__}", "%s", "${HOME}", "$(id)", "[bold red]",
    "[/]", "!!python/object:os.system", "&a *a", "? :", ": ", " #", "%YAML", "null", "yes", "1e3", "0x1f",
    "2026-01-01", "=", "<<", "x" * 200, "日" * 100,
)  # fmt: skip
_TEXTS = st.lists(
    st.one_of(st.sampled_from(_TRICKS), st.text(max_size=5), st.text(st.characters(exclude_categories=()), max_size=5)),
    max_size=6,
).map("".join)
_REFS = st.builds(Ref, _TEXTS, _TEXTS, _TEXTS)
_GAPS = st.lists(st.builds(Gap, _TEXTS, _TEXTS, _TEXTS), max_size=2).map(tuple)
_SEVERITIES = st.sampled_from(SEVERITIES)
_TIMES = st.one_of(_TEXTS, st.sampled_from(["2026-11-21T22:29:29Z", "2026-11-21T22:32:31.123456789Z", ""]))


def _some(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(values, max_size=2).map(tuple)


def findings(paste: st.SearchStrategy[str]) -> st.SearchStrategy[Finding]:
    return st.builds(
        Finding,
        rule=_TEXTS,
        title=_TEXTS,
        severity=_SEVERITIES,
        confidence=st.floats(0, 1),
        subject=_REFS,
        symptom=_TEXTS,
        cause=_TEXTS,
        evidence=_some(st.builds(Proof, _TEXTS, _TEXTS, _TIMES, _TEXTS)),
        fixes=_some(st.builds(Fix, _TEXTS, _some(paste), paste, _TEXTS)),
        verify=_TEXTS,
        links=_some(paste),
        affects=_some(_REFS),
    )


def reports(paste: st.SearchStrategy[str] = _TEXTS) -> st.SearchStrategy[Report]:
    return st.builds(
        Report,
        subject=_REFS,
        status=_TEXTS,
        healthy=st.booleans(),
        findings=_some(findings(paste)),
        gaps=_GAPS,
        timeline=_some(st.builds(Moment, _TIMES, _TEXTS, _TEXTS)),
        taken_at=_TIMES,
        source=_TEXTS,
    )


@st.composite
def scans(draw: st.DrawFn, paste: st.SearchStrategy[str] = _TEXTS) -> ScanReport:
    found = tuple(draw(st.lists(findings(paste), max_size=3)))
    groups = (
        st.builds(Group, _TEXTS, _TEXTS, _SEVERITIES, _TEXTS, _some(_REFS), st.integers(0, len(found) - 1))
        if found
        else st.nothing()
    )
    return ScanReport(
        scope=draw(_TEXTS),
        findings=found,
        groups=tuple(draw(st.lists(groups, max_size=2))) if found else (),
        gaps=draw(_GAPS),
        totals=draw(st.dictionaries(_TEXTS, st.integers(0, 99), max_size=2)),
        taken_at=draw(_TIMES),
        source=draw(_TEXTS),
    )


ANY = st.one_of(reports(), scans())
TEXTS = _TEXTS
_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def obeyed(text: str) -> list[str]:
    """The characters that a terminal or an editor would obey and not show; line ends are for the formats to use."""
    return _OBEYED.findall(text)
