"""The kubelet's log query: journalctl's short lines as entries, and what is said where there is no such query."""

from __future__ import annotations

from pathlib import Path

import pytest

from k8sdiag.clock import ManualClock, parse_time
from k8sdiag.live.api import LiveApi
from k8sdiag.live.journal import LiveJournal, parse
from k8sdiag.live.kubeconfig import configure
from k8sdiag.target import ApiError
from tests.canned_api import CannedApi, kubeconfig, refuse, serving

NOW = parse_time("2026-11-21T23:00:00Z") or 0.0
KUBELET = """\
-- Boot 0123456789abcdef --
Nov 21 22:31:07.512345 node1 kubelet[811]: I1121 22:31:07.512300     811 server.go:1] "Started"
Nov 21 22:31:08.000001 node1 kubelet[811]: E1121 22:31:08.000000     811 pod_workers.go:1301] "Error syncing pod"
    goroutine 1 [running]:
Nov 21 22:31:09.5 node1 systemd[1]: Stopping kubelet.
not a line of journalctl's
"""
CONTAINERD = 'Nov 21 22:31:07.9 node1 containerd[42]: time="2026-11-21T22:31:07Z" level=error msg="failed to pull"\n'
PATH = "/api/v1/nodes/node1/proxy/logs/"


def journal(server: CannedApi, folder: Path) -> LiveJournal:
    connection = configure(str(kubeconfig(folder / "config", server.url)), None, {})
    return LiveJournal(LiveApi(connection.endpoint), ManualClock(NOW))


def test_entries_of_several_units_oldest_first(tmp_path: Path) -> None:
    with serving() as server:
        server.on("query=kubelet", lambda handler: handler.send(200, KUBELET.encode(), "text/plain"))
        server.on("query=containerd", lambda handler: handler.send(200, CONTAINERD.encode(), "text/plain"))
        entries = list(journal(server, tmp_path).read("node1", ["kubelet", "containerd"], NOW - 3600))
    assert [(entry.unit, entry.priority, entry.pid) for entry in entries] == [
        ("kubelet", 6, "811"),
        ("containerd", 3, "42"),
        ("kubelet", 3, "811"),
        ("kubelet", 6, "1"),
    ]
    assert entries[0].at == pytest.approx(parse_time("2026-11-21T22:31:07.512345Z"))
    assert entries[2].message.endswith('"Error syncing pod"\ngoroutine 1 [running]:')
    assert entries[3].fields["SYSLOG_IDENTIFIER"] == "systemd"
    assert "sinceTime=2026-11-21T22%3A00%3A00Z" in server.asked[0]


@pytest.mark.parametrize(
    ("now", "line", "expected"),
    [
        ("2027-01-01T00:10:00Z", "Dec 31 23:59:00", "2026-12-31T23:59:00Z"),
        ("2026-12-31T23:59:59Z", "Jan  1 00:00:05", "2027-01-01T00:00:05Z"),  # a node whose clock is ahead
        ("2027-02-01T00:00:00Z", "Feb 29 10:00:00", "2024-02-29T10:00:00Z"),
    ],
)
def test_the_year_is_worked_out(now: str, line: str, expected: str) -> None:
    (entry,) = parse(f"{line} node1 kubelet[1]: hello", "node1", "kubelet", parse_time(now) or 0.0)
    assert entry.at == parse_time(expected)


@pytest.mark.parametrize(("status", "clause"), [(403, "forbidden: no"), (404, "not found: no")])
def test_no_way_to_the_journal(tmp_path: Path, status: int, clause: str) -> None:
    with serving() as server:
        server.on(PATH, refuse(status, "no"))
        with pytest.raises(ApiError, match=clause):
            list(journal(server, tmp_path).read("node1", ["kubelet"], None))


def test_a_kubelet_that_shows_its_log_folder_instead(tmp_path: Path) -> None:
    page = b'<!doctype html>\n<pre><a href="pods/">pods/</a></pre>\n'
    with serving() as server:
        server.on(PATH, lambda handler: handler.send(200, page, "text/html"))
        with pytest.raises(ApiError, match="enableSystemLogQuery is off"):
            list(journal(server, tmp_path).read("node1", ["kubelet"], None))
