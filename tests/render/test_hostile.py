"""Nothing in evidence may leave the place that a format gives it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from k8sdiag.columns import columns
from k8sdiag.evidence import Gap, Ref
from k8sdiag.finding import Finding, Fix, Moment, Proof, Report, ScanReport
from k8sdiag.harmless import harmless
from k8sdiag.render import RENDERERS, document, render, render_many, scan_document
from tests.render.hostile import ANY, obeyed, reports, scans
from tests.render.samples import CRASHING

_ALLOWED_TAGS = frozenset(
    "html head meta title style body article h1 h2 h3 p strong code pre dl dt dd table tr th td ul li a span".split()
)
_MARKDOWN = MarkdownIt("commonmark").enable("table").enable("strikethrough")


@pytest.mark.parametrize("fmt", RENDERERS)
@given(report=ANY)
@settings(max_examples=25, deadline=None)
def test_no_character_is_obeyed_and_all_is_utf8(fmt: str, report: Report | ScanReport) -> None:
    text = render(report, fmt)
    assert obeyed(text) == []
    assert text.endswith("\n")
    assert text.encode("utf-8").decode("utf-8") == text


@given(report=ANY)
@settings(deadline=None)
def test_text_in_ascii_is_ascii(report: Report | ScanReport) -> None:
    assert render(report, "text", unicode=False).isascii()


@given(
    report=st.one_of(reports(st.just("")), scans(st.just(""))),
    width=st.integers(60, 120),
    unicode=st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_text_keeps_to_its_columns(report: Report | ScanReport, width: int, unicode: bool) -> None:
    lines = render(report, "text", width=width, unicode=unicode).split("\n")
    assert [line for line in lines if columns(line) > width and not line.lstrip().startswith("kubectl ")] == []


@given(report=ANY)
@settings(deadline=None)
def test_colour_changes_nothing_but_colour(report: Report | ScanReport) -> None:
    coloured = render(report, "text", colour=True)
    for style in ("0", "1", "2", "1;31", "31", "32", "33", "36"):
        coloured = coloured.replace(f"\x1b[{style}m", "")
    assert coloured == render(report, "text")


@given(report=ANY)
@settings(deadline=None)
def test_json_and_yaml_say_the_same(report: Report | ScanReport) -> None:
    body = scan_document(report) if isinstance(report, ScanReport) else document(report)
    assert json.loads(render(report, "json")) == body
    assert yaml.safe_load(render(report, "yaml")) == body


@given(report=reports())
@settings(deadline=None)
def test_json_keeps_evidence_as_it_is(report: Report) -> None:
    written = json.loads(render(report, "json"))
    texts = [proof["text"] for found in written["findings"] for proof in found["evidence"]]
    expected = [proof.text for found in report.findings for proof in found.evidence]
    assert texts == ["".join("\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in text) for text in expected]


@given(report=ANY)
@settings(deadline=None)
def test_junit_is_well_formed(report: Report | ScanReport) -> None:
    root = ET.fromstring(render(report, "junit"))
    assert {element.tag for element in root.iter()} <= set(
        "testsuites testsuite testcase failure skipped system-out".split()
    )
    assert int(root.attrib["tests"]) == len(list(root.iter("testcase"))) > 0


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "a":
            assert (dict(attrs)["href"] or "").startswith(("http://", "https://"))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


@given(report=ANY)
@settings(deadline=None)
def test_html_has_only_its_own_tags(report: Report | ScanReport) -> None:
    parser = _Tags()
    parser.feed(render(report, "html"))
    parser.close()
    assert parser.open == []
    assert parser.seen <= _ALLOWED_TAGS
    assert parser.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class", "href", "rel"}


def _tokens(text: str) -> Iterator[Token]:
    for token in _MARKDOWN.parse(text):
        yield token
        yield from token.children or ()


@given(report=reports(st.just("kubectl get pods")))
@settings(max_examples=120, deadline=None)
def test_markdown_formats_nothing_of_the_evidence(report: Report) -> None:
    tokens = list(_tokens(render(report, "markdown")))
    types = {token.type for token in tokens}
    assert types & {"html_block", "html_inline", "image", "link_open", "s_open", "em_open", "hr", "table_open"} == set()
    assert {token.tag for token in tokens if token.type == "heading_open"} <= {"h2", "h3"}
    assert sum(token.type == "heading_open" and token.tag == "h2" for token in tokens) == 1
    fences = [token.content for token in tokens if token.type == "fence"]
    expected = [p.text for f in report.findings[:1] for p in f.evidence if "\n" in p.text.strip()]
    for text in expected if report.findings and report.findings[0].severity != "info" else []:
        assert harmless(text, newlines=True).strip("\n") + "\n" in fences


@given(report=scans())
@settings(deadline=None)
def test_markdown_table_has_a_row_for_each_cause(report: ScanReport) -> None:
    tokens = list(_tokens(render(report, "markdown")))
    rows = sum(token.type == "tr_open" for token in tokens)
    cells = sum(token.type == "td_open" for token in tokens)
    assert cells == 4 * max(rows - 1, 0)
    assert {token.tag for token in tokens if token.type == "heading_open"} <= {"h2", "h3"}


@pytest.mark.parametrize("fmt", RENDERERS)
def test_ten_megabytes_take_no_time(fmt: str) -> None:
    endless = "\x1b[31mé`" * 2_000_000
    ref = Ref("Pod", "shop", endless)
    proof, fix = Proof(endless, endless, endless, endless), Fix(endless, (endless,), endless, endless)
    found = Finding(endless, endless, "error", 1.0, ref, endless, endless, (proof,), (fix,), endless, (endless,))
    report = Report(ref, endless, False, (found,), (Gap(endless, endless),), (Moment(endless, endless, endless),))
    started = time.monotonic()
    text = render(report, fmt)
    assert time.monotonic() - started < 1
    assert len(text) < 5_000_000


@pytest.mark.parametrize("fmt", RENDERERS)
@pytest.mark.parametrize("words", ["{{ 7 * 7 }}", "{name}", "%(name)s", "[bold red]x[/bold red]", "${HOME}", "$(id)"])
def test_no_template_is_interpreted(fmt: str, words: str) -> None:
    found = replace(CRASHING.findings[0], evidence=(Proof("log", "pod/web", "", words),))
    text = render(replace(CRASHING, findings=(found,)), fmt)
    assert words in text


@pytest.mark.parametrize("fmt", RENDERERS)
@given(several=st.lists(reports(), max_size=3))
@settings(max_examples=20, deadline=None)
def test_several_are_as_harmless_as_one(fmt: str, several: list[Report]) -> None:
    assert obeyed(render_many(several, fmt)) == []
