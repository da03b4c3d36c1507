"""SPDY as port-forward needs it: what one side says the other hears, however it is cut; nonsense ends in one word."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.minicluster.apiserver.streams.spdy import (
    DICTIONARY,
    MOST_HEADERS,
    Event,
    Opened,
    Received,
    Reset,
    Session,
    SpdyError,
)

STREAMS = st.integers(1, 2**31 - 1)
HEADERS = st.dictionaries(st.from_regex(r"[a-z][a-z-]{0,10}", fullmatch=True), st.text(max_size=20), max_size=4)
SAID = st.one_of(
    st.builds(Opened, STREAMS, HEADERS, st.booleans()),
    st.builds(Received, STREAMS, st.binary(max_size=50), st.booleans()),
    st.builds(Reset, STREAMS),
)


def say(session: Session, event: Event) -> None:
    if isinstance(event, Opened):
        session.open(event.stream, event.headers, event.ended)
    elif isinstance(event, Received):
        session.send(event.stream, event.data, event.ended)
    else:
        session.reset(event.stream)


def test_the_dictionary_is_the_protocols() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


@given(st.lists(SAID, max_size=8), st.lists(st.integers(1, 40), max_size=30))
def test_what_is_said_is_heard_however_it_is_cut(said: list[Event], cuts: list[int]) -> None:
    here, there = Session(), Session()
    for event in said:
        say(here, event)
    stream, heard = here.take(), list[Event]()
    for size in cuts:
        piece, stream = stream[:size], stream[size:]
        heard += there.receive(piece)
    assert heard + there.receive(stream) == said


@given(st.lists(SAID, max_size=4), st.binary(max_size=60))
def test_nonsense_is_an_error_of_the_protocol_or_waited_for(said: list[Event], noise: bytes) -> None:
    here, there = Session(), Session()
    for event in said:
        say(here, event)
    assert there.receive(here.take()) == said
    with suppress(SpdyError):  # and no other
        assert isinstance(there.receive(noise), list)


def test_a_ping_comes_back() -> None:
    session, ping = Session(), struct.pack(">III", 1 << 31 | 3 << 16 | 6, 4, 7)
    assert session.receive(ping) == []
    assert session.take() == ping


def test_replies_keep_the_compression_in_step() -> None:
    here, there = Session(), Session()
    here.open(1, {"streamtype": "error"})
    there.receive(here.take())
    there.reply(1, {"well": "done"})
    assert here.receive(there.take()) == []
    here.open(3, {"streamtype": "data"})
    assert there.receive(here.take()) == [Opened(3, {"streamtype": "data"}, False)]


def test_headers_without_end_are_refused() -> None:
    here, there = Session(), Session()
    here.open(1, {"bomb": "0" * (MOST_HEADERS + 1)})
    with pytest.raises(SpdyError, match="without end"):
        there.receive(here.take())
