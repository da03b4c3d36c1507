"""Answers as servers write them, cut into pieces wherever the network likes."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from itertools import pairwise
from time import monotonic

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from k8sdiag.live.answers import Answer, Broken, Silent


@pytest.fixture(autouse=True, params=["one way"])
def way() -> None:
    """There is but one way here."""


def answered(*pieces: bytes) -> tuple[Answer, bytes]:
    """An answer that arrives in these pieces, and its body."""
    ours, theirs = socket.socketpair()

    def send() -> None:
        with theirs:
            for piece in pieces:
                theirs.sendall(piece)

    sending = threading.Thread(target=send)
    sending.start()
    try:
        with ours:
            answer = Answer(ours, monotonic() + 5)
            return answer, b"".join(_pieces(answer))
    finally:
        sending.join()


def _pieces(answer: Answer) -> Iterator[bytes]:
    while piece := answer.read(7, 5.0):
        yield piece


def chunked(body: bytes, sizes: list[int]) -> bytes:
    out, rest = b"", body
    for size in sizes:
        data, rest = rest[:size], rest[size:]
        out += b"%X;note=1\r\n%s\r\n" % (len(data), data) if data else b""
    out += b"%x\r\n%s\r\n" % (len(rest), rest) if rest else b""
    return out + b"0\r\nX-Trailer: y\r\n\r\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.binary(max_size=200),
    sizes=st.lists(st.integers(1, 50), max_size=5),
    cuts=st.lists(st.integers(0, 500), max_size=6),
    framing=st.sampled_from(["length", "chunked", "end"]),
    packed=st.booleans(),
    early=st.booleans(),
)
def test_a_body_comes_as_it_was_sent(
    body: bytes, sizes: list[int], cuts: list[int], framing: str, packed: bool, early: bool
) -> None:
    sent = gzip.compress(body) if packed else body
    head = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" if early else b""
    head += b"HTTP/1.1 404 Not Found\r\nX-a:b\r\n" + (b"Content-Encoding: gzip\r\n" if packed else b"")
    if framing == "length":
        whole = head + b"content-length: %d\r\n\r\n%s" % (len(sent), sent)
    elif framing == "chunked":
        whole = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(sent, sizes)
    else:
        whole = head + b"\r\n" + sent
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    answer, got = answered(*(whole[start:end] for start, end in pairwise(edges)))
    assert (answer.status, answer.header("X-A"), got) == (404, "b", body)
    assert (answer.whole, answer.kept) == ((False, False) if framing == "end" else (True, True))


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "2 bytes of the answer are missing"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "2 bytes of the answer are missing"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "not the size of a chunk"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "incorrect header check"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "ends in its head"),
        (b"220 mail.example ESMTP\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "not HTTP"),
    ],
)
def test_what_is_no_whole_answer(sent: bytes, said: str) -> None:
    with pytest.raises(Broken, match=said):
        answered(sent)


def test_no_answer_at_all() -> None:
    with pytest.raises(Silent):
        answered()


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
    ],
)
def test_a_connection_that_is_not_to_be_used_again(sent: bytes) -> None:
    assert not answered(sent)[0].kept


def test_more_than_was_announced_is_no_next_answer() -> None:
    answer, body = answered(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc")
    assert (body, answer.whole) == (b"a", False)
