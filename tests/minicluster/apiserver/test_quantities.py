"""Quantities: the server's one spelling for each amount, and exactness."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.minicluster.apiserver import quantities
from k8sdiag.minicluster.apiserver.quantities import QuantityError, canonical, nanos, rounded
from k8sdiag.quantity import parse_quantity

NANO = 10**9
SUFFIXES = ["", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "E-2", "e+2"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("1000m", "1"),
        ("1000Ki", "1000Ki"),
        ("1000k", "1M"),
        ("0.1Gi", "107374182400m"),
        ("0.5Gi", "512Mi"),
        ("1.5Mi", "1536Ki"),
        ("512", "512"),
        ("1023Ki", "1023Ki"),
        ("0.5Ki", "512"),
        ("0", "0"),
        ("0Gi", "0"),
        ("+5", "5"),
        ("-1.5", "-1500m"),
        ("1e3", "1e3"),
        ("1500e-3", "1500e-3"),
        ("12e6", "12e6"),
        ("1E3", "1e3"),
        ("0.0000000001", "1n"),
        (".5", "500m"),
        ("5.", "5"),
        ("100000", "100k"),
        ("2500000", "2500k"),
        ("1024Ei", "9223372036854775807"),
    ],
)
def test_canonical(written: str, kept: str) -> None:
    assert canonical(written) == kept


def test_json_numbers() -> None:
    assert canonical(2) == "2"
    assert canonical(0.5) == "500m"
    assert canonical(1000) == "1k"


def test_resource_lists_are_rounded_up_to_thousandths() -> None:
    assert rounded("100u") == "1m"
    assert rounded("1500u") == "2m"
    assert rounded("128Mi") == "128Mi"
    assert rounded(1) == "1"


@pytest.mark.parametrize("text", ["", "abc", "1.2.3", "1 Gi", "--1", "1x", "e3", "."])
def test_no_quantity(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        nanos(text)
    assert str(caught.value) == quantities.MALFORMED


def test_unknown_suffix() -> None:
    with pytest.raises(QuantityError, match="unable to parse quantity's suffix"):
        nanos("1KiB"[:-1] + "M")
    with pytest.raises(QuantityError):
        nanos(True)
    with pytest.raises(QuantityError):
        nanos(None)


AMOUNTS = st.builds(
    lambda sign, whole, places, suffix: f"{sign}{whole}{places}{suffix}",
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 10**6),
    st.one_of(st.just(""), st.integers(0, 999).map(lambda n: f".{n}")),
    st.sampled_from(SUFFIXES),
)


@given(AMOUNTS)
def test_a_canonical_form_is_its_own_and_means_the_same(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once
    assert nanos(once) == nanos(text)


@given(AMOUNTS)
def test_amounts_agree_with_the_layer_that_reads_clusters(text: str) -> None:
    read = parse_quantity(text)
    assert read is not None
    assert nanos(text) / NANO == pytest.approx(read, rel=1e-9, abs=1e-9)


@given(st.integers(0, 10**12), st.sampled_from(["Ki", "Mi", "Gi"]))
def test_binary_amounts_are_exact(count: int, suffix: str) -> None:
    factor = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}[suffix]
    assert Fraction(nanos(f"{count}{suffix}"), NANO) == min(count * factor, 2**63 - 1)
