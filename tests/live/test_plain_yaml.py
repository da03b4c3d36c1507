"""What is read without PyYAML is what PyYAML reads."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from k8sdiag.live import plain_yaml

KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1J/+aA==
    insecure-skip-tls-verify: true
    server: https://127.0.0.1:26443
  name: kind-kind
contexts:
- context: {}
  name: "kind kind"
current-context: kind-kind
kind: Config
preferences: {}
users:
  - name: arn:aws:eks:eu-west-1:1:cluster/x
    user:
      token: abc.def-ghi_jkl=
      other: 0f3e9
"""


@pytest.fixture(autouse=True, params=["one way"])
def way() -> None:
    """There is but one way here."""


def test_a_kubeconfig_is_plain() -> None:
    assert plain_yaml.read(KUBECONFIG) == yaml.safe_load(KUBECONFIG)


KEYS = st.sampled_from("name user cluster clusters token on y server apiVersion".split())
TEXTS = st.sampled_from(
    "v1 true yes null 12 https://a:1/b a x: - {} [] 'q' 0x1 e1 0b1 1e5 12ab 0o7 1_0 09a 2026-11-22 ~ = é Ab+/= inf .inf"
    " | &a *a !a NO True".split()
) | st.sampled_from(["", "a: b", "a #b", '"q: r"', "a\n"])
VALUES = st.recursive(
    st.one_of(TEXTS, st.booleans(), st.none(), st.integers()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


def same(text: str) -> None:
    found = plain_yaml.read(text)
    if found is not None:
        assert repr(found) == repr(yaml.safe_load(text))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(document=st.dictionaries(KEYS, VALUES, max_size=4))
def test_what_is_written_by_machines(document: dict[str, Any]) -> None:
    same(yaml.safe_dump(document))


LINES = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", " ", "  ", "    ", "      "]),
    st.sampled_from(["", "", "- ", "- - ", "-  "]),
    KEYS,
    st.sampled_from([":", ":", ": ", "", ":  "]),
    TEXTS,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=1000)
@given(lines=st.lists(LINES, max_size=6))
@example(lines=["user:", "- name: a", "token: b"])
@example(lines=["user:", "  - name: a", "  token: b"])
@example(lines=["user: a", "  name: b"])
@example(lines=["user:", "  name: b", " token: c"])
@example(lines=["user:", "- name: a", "  - token: b"])
@example(lines=["user:", "- name:", "  - token: b", "  token: c"])
@example(lines=["- user: a"])
@example(lines=["  user: a"])
@example(lines=["user: a", "user: b"])
@example(lines=[""])
def test_whatever_lines_there_are(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        same(text)
    except yaml.YAMLError:
        raise AssertionError(f"read what is no YAML: {text!r}") from None
