"""`schema.json` is what JSON and YAML hold, and is itself valid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings

from k8sdiag.finding import SEVERITIES, Report, ScanReport
from k8sdiag.render import render, render_many
from k8sdiag.render.json import schema
from tests.render.hostile import ANY
from tests.render.samples import CRASHING, HEALTHY, UNLOOKED

_VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_the_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@given(report=ANY)
@settings(deadline=None)
def test_every_report_keeps_the_contract(report: Report | ScanReport) -> None:
    _VALIDATOR.validate(json.loads(render(report, "json")))
    _VALIDATOR.validate(yaml.safe_load(render(report, "yaml")))


@pytest.mark.parametrize("fmt", ["json", "yaml"])
@pytest.mark.parametrize("reports", [[], [HEALTHY], [CRASHING, UNLOOKED]])
def test_every_list_keeps_the_contract(reports: list[Report], fmt: str) -> None:
    loaded = yaml.safe_load(render_many(reports, fmt))
    _VALIDATOR.validate(loaded)
    assert loaded["kind"] == "DiagnosisList"
    assert len(loaded["items"]) == len(reports)


@pytest.mark.parametrize("path", [("healthy",), ("findings", 0, "severity"), ("findings", 0, "subject", "name")])
def test_what_breaks_the_contract_is_refused(path: tuple[str | int, ...]) -> None:
    body = json.loads(render(CRASHING, "json"))
    inner: Any = body
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = 7
    assert not _VALIDATOR.is_valid(body)


def test_unknown_keys_are_refused() -> None:
    body = json.loads(render(CRASHING, "json"))
    body["findings"][0]["surprise"] = ""
    assert not _VALIDATOR.is_valid(body)


def test_severities_are_those_of_findings() -> None:
    assert schema()["$defs"]["severity"]["enum"] == list(SEVERITIES)


def test_every_object_is_closed_but_totals() -> None:
    assert [
        path for path, part in _objects(schema()["$defs"], "") if part.get("additionalProperties") is not False
    ] == ["/scan/properties/totals"]


def _objects(part: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield path, part
        for key, inner in part.items():
            yield from _objects(inner, f"{path}/{key}")


def test_the_shape_that_scripts_search_for() -> None:
    text = render(CRASHING, "json")
    assert '"kind": "Diagnosis"' in text
    assert '      "severity": "error"' in text
    assert list(json.loads(text)) == [
        "apiVersion", "kind", "subject", "status", "healthy", "findings", "gaps", "timeline", "takenAt", "source",
    ]  # fmt: skip
