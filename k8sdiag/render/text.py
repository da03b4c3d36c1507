"""What a person reads in a terminal: the verdict, why, what to paste to mend it, and what was not looked at.

Kept free of third-party imports, because this is the path whose starting time is felt. Severity is always a word as
well as a mark and a colour. Commands stand on lines of their own and are never wrapped, so that they can be copied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from k8sdiag.columns import columns, fit, pad, wrap
from k8sdiag.evidence import Gap, Ref
from k8sdiag.finding import SEVERITIES, Finding, Fix, Group, Moment, Proof, Report, ScanReport
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

_MARKS = {"critical": "✗", "error": "✗", "warning": "!", "info": "i", "healthy": "✓", "unknown": "?"}
_COLOURS = {"critical": "1;31", "error": "1;31", "warning": "33", "info": "36", "healthy": "32", "unknown": "33"}
_BOLD, _DIM, _PASTE = "1", "2", "36"
_ASCII = str.maketrans({
    "✗": "x", "✓": "+", "—": "-", "\u2013": "-", "…": "...", "\u2018": "'", "\u2019": "'", "“": '"', "”": '"',
})  # fmt: skip
_NARROWEST, _TIME_COLUMNS = 40, 20  # 20: an RFC 3339 time, where no age can be told
_PROOFS, _OTHERS, _MOMENTS, _SUBJECTS, _GROUPS, _GAPS = 8, 10, 10, 6, 30, 12
_TEXT_LIMIT, _NAME_LIMIT, _COMMAND_LIMIT = 1200, 400, 16_384
_FIRST_LINES, _LAST_LINES = 3, 5


def diagnosis(report: Report, look: Look) -> str:
    """One subject, verdict first."""
    page = _Page(look, report.taken_at)
    _verdict(page, report)
    main = main_finding(report)
    if main:
        _why(page, main, report.subject)
        _fixes(page, main)
    _others(page, other_findings(report), report.subject)
    _gaps(page, report.gaps)
    _timeline(page, report.timeline, report.subject)
    _origin(page, report)
    return page.text()


def diagnoses(reports: Sequence[Report], look: Look) -> str:
    """One after the other, then how many are in which state."""
    if len(reports) == 1:
        return diagnosis(reports[0], look)
    page = _Page(look, "")
    states = [found_state(report) for report in reports]
    counts = ", ".join(f"{states.count(state)} {state}" for state in _MARKS if state in states)
    page.prose(f"{len(reports)} looked at: {counts}" if reports else "nothing to look at")
    return "\n".join([*(diagnosis(report, look) for report in reports), page.text()])


def scan(report: ScanReport, look: Look) -> str:
    """Causes, worst and widest first, each with its subjects and its first fix."""
    page = _Page(look, report.taken_at)
    shown = groups_of(report)
    one_namespace = len({found.subject.namespace for found in report.findings}) <= 1
    _scan_verdict(page, report)
    for number, (group, found) in enumerate(shown[:_GROUPS], 1):
        _group(page, number, group, found, str if one_namespace else full_name)
    if len(shown) > _GROUPS:
        page.add()
        page.more(len(shown) - _GROUPS)
    _gaps(page, report.gaps)
    _origin(page, report)
    return page.text()


class _Page:
    """Lines being written, in one look."""

    def __init__(self, look: Look, taken_at: str) -> None:
        self.width = max(look.width, _NARROWEST)
        self.taken_at = taken_at
        self._look = look
        self._lines: list[str] = []

    def text(self) -> str:
        return self.own("\n".join(self._lines) + "\n")

    def own(self, text: str) -> str:
        """Words of this module, fit for this terminal."""
        return text if self._look.unicode else text.translate(_ASCII)

    def safe(self, text: str, limit: int = _NAME_LIMIT, *, newlines: bool = False) -> str:
        """Foreign text, fit for this terminal."""
        text = self.own(harmless(text, limit, newlines=newlines))
        return text if self._look.unicode else text.encode("ascii", "backslashreplace").decode()

    def paint(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._look.colour and style and text else text

    def add(self, line: str = "", style: str = "") -> None:
        self._lines.append(self.paint(line, style))

    def heading(self, words: str) -> None:
        self.add()
        self.add(words, _BOLD)

    def prose(self, text: str, first: str = "", rest: str = "", style: str = "", lead_style: str = "") -> None:
        """Wrapped text; `style` applies to the text, `lead_style` to `first`."""
        lines = wrap(self.own(text), self.width, first, rest)
        self._lines.append(self.paint(first.rstrip(), lead_style) + self.paint(lines[0][len(first.rstrip()) :], style))
        self._lines.extend(rest + self.paint(line[len(rest) :], style) for line in lines[1:])

    def titled(self, title: str, text: str, style: str, rest: str) -> None:
        """Wrapped text led by a title in a style of its own."""
        title = self.own(title)
        lines = wrap(title + self.own(text), self.width, "", rest)
        if lines[0].startswith(title.rstrip()):
            lines[0] = self.paint(title.rstrip(), style) + lines[0][len(title.rstrip()) :]
        self._lines.extend(lines)

    def quote(self, text: str, indent: str) -> None:
        """Evidence of several lines: its beginning and its end, where the reason usually stands."""
        lines = [line for line in self.safe(text, _TEXT_LIMIT, newlines=True).split("\n") if line.strip()]
        left_out = len(lines) - _FIRST_LINES - _LAST_LINES
        if left_out > 1:
            lines[_FIRST_LINES:-_LAST_LINES] = [f"… {left_out} lines"]
        for line in lines:
            self.prose(line, indent, indent + "  ")

    def paste(self, command: str, indent: str = "    ") -> None:
        """A command as it must be typed. Several lines start at the margin: indentation would break a here-document."""
        lines = self.safe(command, _COMMAND_LIMIT, newlines=True).strip("\n").split("\n")
        for line in lines:
            self.add((indent if len(lines) == 1 else "") + line, _PASTE)

    def more(self, count: int) -> None:
        if count > 0:
            self.add(f"  … {count} more (-o json shows all)", _DIM)


def _verdict(page: _Page, report: Report) -> None:
    state = found_state(report)
    title = page.safe(f"{_MARKS[state]} {report.subject}  {report.status}".rstrip())
    page.titled(title, f" — {page.safe(verdict(report), _TEXT_LIMIT)}", _COLOURS[state], "  ")
    about = [f"namespace {report.subject.namespace}"] if report.subject.namespace else []
    main = main_finding(report)
    if main:
        about = [certainty(main), f"rule {main.rule}", *about]
        if main.subject != report.subject:
            about.append(f"found at {full_name(main.subject)}")
    if state != "healthy" and about:
        page.prose(page.safe("; ".join(about)), "  ", "  ", _DIM)


def _why(page: _Page, found: Finding, subject: Ref) -> None:
    page.heading("WHY")
    symptom = page.safe(found.symptom, _TEXT_LIMIT)
    if symptom:
        page.prose(symptom, "  ", "  ")
    for proof in found.evidence[:_PROOFS]:
        _proof(page, proof, subject)
    page.more(len(found.evidence) - _PROOFS)
    if not found.evidence:
        page.add("  no evidence was kept with this finding", _DIM)
    if found.affects:
        page.prose(_some(page, found.affects), "  Explains also: ", "  ")


def _proof(page: _Page, proof: Proof, subject: Ref) -> None:
    first = f"  {pad(fit(page.safe(proof.source), 8), 8)} "
    when = fit(page.safe(ago(proof.time, page.taken_at)), _TIME_COLUMNS)
    about = "  ".join(part for part in (when, page.safe(_part(proof.ref, subject))) if part)
    text = page.safe(proof.text, _TEXT_LIMIT)
    indent = " " * columns(first)
    if about and ("\n" in proof.text or columns(first + about + text) + 2 > page.width):
        page.prose(about, first, indent, _DIM)
        page.quote(proof.text, indent)
    else:
        page.prose("  ".join(part for part in (about, text) if part), first, indent)


def _fixes(page: _Page, found: Finding) -> None:
    if found.fixes:
        page.heading("FIX")
    for number, fix in enumerate(found.fixes, 1):
        lead = f"  {number}. " if len(found.fixes) > 1 else "  "
        page.prose(page.safe(fix.title, _TEXT_LIMIT), lead, " " * len(lead))
        _fix(page, fix, " " * len(lead))
    if found.verify:
        page.heading("VERIFY")
        for line in page.safe(found.verify, _TEXT_LIMIT, newlines=True).split("\n"):
            if line.lstrip().startswith(("kubectl ", "k8sdiag ")) and not line.rstrip().endswith("."):
                page.paste(line)
            elif line.strip():
                page.prose(line, "  ", "  ")
    if found.links:
        page.heading("SEE")
        for link in found.links:
            page.add(f"  {page.safe(link)}", _DIM)


def _fix(page: _Page, fix: Fix, indent: str) -> None:
    for command in fix.commands:
        page.paste(command, indent + "  ")
    if fix.patch:
        page.add(f"{indent}Patch:")
        for line in page.safe(fix.patch, _COMMAND_LIMIT, newlines=True).strip("\n").split("\n"):
            page.add(f"{indent}  {line}".rstrip(), _PASTE)
    if fix.risk:
        page.prose(f"Risk: {page.safe(fix.risk, _TEXT_LIMIT)}", indent, indent + "  ", "33")


def _part(ref: str, subject: Ref) -> str:
    """What evidence is about, without saying again which subject the page is about: `container app`."""
    name = str(subject)
    return ref.removeprefix(name).lstrip() if ref == name or ref.startswith(f"{name} ") else ref


def _others(page: _Page, others: Sequence[Finding], subject: Ref) -> None:
    if others:
        page.heading("ALSO FOUND")
    for found in others[:_OTHERS]:
        first = f"  {_MARKS[found.severity]} {found.severity}  "
        about = "" if found.subject == subject else f"{found.subject}: "
        text = page.safe(about + (found.cause or found.title), _TEXT_LIMIT)
        page.prose(text, first, "    ", lead_style=_COLOURS[found.severity])
        if found.fixes:
            _first_fix(page, found.fixes[0], "    ")
    page.more(len(others) - _OTHERS)


def _first_fix(page: _Page, fix: Fix, indent: str) -> None:
    page.prose(f"Fix: {page.safe(fix.title, _TEXT_LIMIT)}", indent, indent + "  ")
    for command in fix.commands[:1]:
        page.paste(command, indent + "  ")


def _gaps(page: _Page, gaps: Sequence[Gap]) -> None:
    if gaps:
        page.heading("NOT LOOKED AT")
    for gap in gaps[:_GAPS]:
        page.prose(page.safe(gap_sentence(gap), _TEXT_LIMIT), "  - ", "    ")
    page.more(len(gaps) - _GAPS)


def _timeline(page: _Page, moments: Sequence[Moment], subject: Ref) -> None:
    if not moments:
        return
    page.heading("TIMELINE")
    page.more(len(moments) - _MOMENTS)
    shown = moments[-_MOMENTS:]
    times = [fit(page.safe(ago(moment.time, page.taken_at)), _TIME_COLUMNS) for moment in shown]
    widest = max(map(columns, times))
    for moment, time in zip(shown, times, strict=True):
        part = _part(moment.ref, subject)
        first = f"  {' ' * (widest - columns(time))}{time}  "
        page.prose(page.safe(f"{part}: {moment.text}" if part else moment.text), first, " " * columns(first))


def _origin(page: _Page, report: Report | ScanReport) -> None:
    if origin(report):
        page.add()
        page.prose(page.safe(origin(report)), style=_DIM)


def _scan_verdict(page: _Page, report: ScanReport) -> None:
    severities_found = [found.severity for found in report.findings]
    state = min(severities_found, key=SEVERITIES.index, default="unknown" if report.gaps else "healthy")
    title = f"{_MARKS[state]} {page.safe(report.scope) or 'cluster'}"
    page.titled(title, f" — {scan_verdict(report)}", _COLOURS[state], "  ")
    severities = [f"{report.totals[name]} {name}" for name in SEVERITIES if report.totals.get(name)]
    kinds = [_total(key, count) for key, count in report.totals.items() if key not in SEVERITIES]
    if severities:
        page.prose(f"Found: {', '.join(severities)}", "  ", "  ", _DIM)
    if kinds:
        page.prose(page.safe(f"Looked at: {', '.join(kinds)}", _TEXT_LIMIT), "  ", "  ", _DIM)


def _total(key: str, count: int) -> str:
    return counted(count, key.lower()) if key[:1].isupper() else f"{count} {key}"


def _group(page: _Page, number: int, group: Group, found: Finding, name: Callable[[Ref], str]) -> None:
    page.add()
    subjects = group.subjects or (found.subject,)
    many = len(subjects) > 1
    what = f"{count_subjects(subjects)}, one cause" if many else name(subjects[0])
    title = page.safe(f"{number:>2}  {_MARKS[group.severity]} {group.severity}  {what}")
    page.titled(title, f" — {page.safe(group.cause or group.title, _TEXT_LIMIT)}", _COLOURS[group.severity], "    ")
    if many:
        page.prose(_some(page, subjects, name), "    ", "    ", _DIM)
    for proof in found.evidence[:1]:
        lines = [line for line in page.safe(proof.text, _TEXT_LIMIT, newlines=True).split("\n") if line.strip()]
        text = f"… {lines[-1].strip()}" if len(lines) > 1 else "".join(lines)
        page.prose(f"{page.safe(proof_about(proof))}: {text}", "    ", "      ")
    for fix in found.fixes[:1]:
        _first_fix(page, fix, "    ")


def _some(page: _Page, subjects: Sequence[Ref], name: Callable[[Ref], str] = str) -> str:
    """`pod/a, pod/b, +31 more`: as many as fit on a line."""
    words = [page.safe(name(subject)) for subject in subjects[:_SUBJECTS]]
    while True:
        left_out = len(subjects) - len(words)
        text = ", ".join([*words, *([f"+{left_out} more"] if left_out else [])])
        if len(words) == 1 or columns(text) + 17 <= page.width:
            return text
        words.pop()
