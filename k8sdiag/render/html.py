"""One self-contained page to attach or to print: no scripts, nothing fetched, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from k8sdiag.evidence import Gap
from k8sdiag.finding import SEVERITIES, Finding, Fix, Moment, Report, ScanReport
from k8sdiag.harmless import harmless
from k8sdiag.render import (
    Look,
    ago,
    certainty,
    count_subjects,
    counted,
    found_state,
    full_name,
    gap_sentence,
    groups_of,
    main_finding,
    origin,
    other_findings,
    proof_about,
    scan_verdict,
    verdict,
)

_LIMIT, _BLOCK_LIMIT = 4000, 16_384
_STYLE = """
:root { color-scheme: light dark; --bad: #b3261e; --warn: #8a5a00; --good: #1b6e3c; --line: #8886; --block: #8881; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --warn: #ffca6b; --good: #7bd99b; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid var(--line); }
article + article { margin-top: 4rem; border-top: 3px double var(--line); }
pre, code { font: .875rem/1.45 ui-monospace, monospace; }
pre { background: var(--block); padding: .6rem .8rem; overflow-x: auto; margin: .3rem 0 1rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .25rem .75rem
  .25rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.critical, .error { color: var(--bad); } .warning, .unknown { color: var(--warn); } .healthy { color: var(--good); }
.about { opacity: .75; } .risk { color: var(--warn); } dt { margin-top: .5rem; } dd { margin-left: 0; }
@media print { body { margin: 0; max-width: none; font-size: 11pt; } pre, tr, dd { break-inside: avoid; } }
"""
_WORDS = {"healthy": "healthy", "unknown": "not known"}


def diagnosis(report: Report, _look: Look) -> str:
    """One subject."""
    return _page(f"{report.subject} {report.status}", _article(report))


def diagnoses(reports: Sequence[Report], _look: Look) -> str:
    """One article a subject."""
    articles = [line for report in reports for line in _article(report)]
    return _page(counted(len(reports), "subject"), articles)


def scan(report: ScanReport, _look: Look) -> str:
    """A table of causes, then an article for each."""
    shown = groups_of(report)
    lines = ["<article>", f"<h1>{_text(report.scope or 'cluster')} — {scan_verdict(report)}</h1>"]
    totals = ", ".join(f"{name}: {count}" for name, count in report.totals.items())
    lines += [f'<p class="about">{_text(totals)}</p>'] if totals else []
    if shown:
        lines += ["<table>", "<tr><th>#</th><th>Severity</th><th>What</th><th>Cause</th></tr>"]
    for number, (group, found) in enumerate(shown, 1):
        what = count_subjects(group.subjects) if len(group.subjects) > 1 else full_name(found.subject)
        cells = (str(number), _severity(group.severity), _text(what), _text(group.cause or group.title))
        lines.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    lines += ["</table>"] if shown else []
    for number, (group, found) in enumerate(shown, 1):
        lines += [f"<h2>{number}. {_text(group.cause or group.title)}</h2>"]
        lines += [f"<p>{_text(', '.join(full_name(ref) for ref in group.subjects))}</p>"] if group.subjects else []
        lines += [*_evidence(found, report.taken_at), *_fixes(found.fixes)]
    lines += [*_gaps(report.gaps), *_origin(report), "</article>"]
    return _page(report.scope or "cluster", lines)


def _page(title: str, body: Iterable[str]) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return "\n".join([
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title>",
        f"<style>{_STYLE}</style>\n</head>\n<body>",
        *body,
        "</body>\n</html>\n",
    ])  # fmt: skip


def _article(report: Report) -> list[str]:
    state = found_state(report)
    lines = ["<article>", f"<h1>{_text(report.subject)} <code>{_text(report.status)}</code></h1>"]
    lines += [f'<p class="{state}"><strong>{_WORDS.get(state, state)}: {_text(verdict(report))}</strong></p>']
    if report.subject.namespace:
        lines += [f'<p class="about">namespace {_text(report.subject.namespace)}</p>']
    main = main_finding(report)
    for found in [*([main] if main else []), *other_findings(report)]:
        lines += _found(found, report.taken_at, first=found is main)
    lines += [*_gaps(report.gaps), *_timeline(report.timeline, report.taken_at)]
    return [*lines, *_origin(report), "</article>"]


def _found(found: Finding, taken_at: str, *, first: bool) -> list[str]:
    lines = ["<h2>Why</h2>"] if first else [f"<h2>Also found: {_text(found.cause or found.title)}</h2>"]
    about = f"{certainty(found)}, rule {found.rule}, {full_name(found.subject)}"
    lines += [f'<p class="about">{_text(about)}</p>']
    lines += [f"<p>{_text(found.symptom)}</p>"] if found.symptom else []
    lines += _evidence(found, taken_at)
    if found.affects:
        lines += [f"<p>Explains also: {_text(', '.join(map(full_name, found.affects)))}</p>"]
    lines += (["<h2>Fix</h2>"] if first and found.fixes else []) + _fixes(found.fixes)
    lines += [f"<p>Verify:</p>{_block(found.verify)}"] if found.verify else []
    return [*lines, *(f"<p>{_link(link)}</p>" for link in found.links)]


def _evidence(found: Finding, taken_at: str) -> list[str]:
    lines = ["<dl>"] if found.evidence else []
    for proof in found.evidence:
        about = ", ".join(part for part in (proof_about(proof), ago(proof.time, taken_at)) if part)
        lines += [f"<dt>{_text(about)}</dt>", f"<dd>{_block(proof.text)}</dd>"]
    return [*lines, "</dl>"] if lines else []


def _fixes(fixes: Sequence[Fix]) -> list[str]:
    lines: list[str] = []
    for fix in fixes:
        lines += [f"<h3>{_text(fix.title)}</h3>"]
        lines += [_block("\n".join(fix.commands))] if fix.commands else []
        lines += [_block(fix.patch)] if fix.patch else []
        lines += [f'<p class="risk">Risk: {_text(fix.risk)}</p>'] if fix.risk else []
    return lines


def _gaps(gaps: Sequence[Gap]) -> list[str]:
    if not gaps:
        return []
    return ["<h2>Not looked at</h2>", "<ul>", *(f"<li>{_text(gap_sentence(gap))}</li>" for gap in gaps), "</ul>"]


def _timeline(moments: Sequence[Moment], taken_at: str) -> list[str]:
    if not moments:
        return []
    lines = ["<h2>Timeline</h2>", "<table>"]
    for moment in moments:
        cells = (ago(moment.time, taken_at), moment.ref, moment.text)
        lines.append(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>")
    return [*lines, "</table>"]


def _origin(report: Report | ScanReport) -> list[str]:
    return [f'<p class="about">{_text(origin(report))}</p>'] if origin(report) else []


def _severity(severity: str) -> str:
    return f'<span class="{severity if severity in SEVERITIES else "unknown"}">{_text(severity)}</span>'


def _text(text: object) -> str:
    return escape(harmless(str(text), _LIMIT))


def _block(text: str) -> str:
    return f"<pre>{escape(harmless(text, _BLOCK_LIMIT, newlines=True))}</pre>"


def _link(url: str) -> str:
    if url.startswith(("https://", "http://")):
        return f'<a href="{_text(url)}" rel="noreferrer noopener">{_text(url)}</a>'
    return _text(url)
