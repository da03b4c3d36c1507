"""Reading recordings: whole, packed, at a moment; and bad ones refused with one line that names file and line."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8sdiag.archive import MAX_BYTES
from k8sdiag.evidence import ContainerLog, Ref
from k8sdiag.journal_export import parse_export
from k8sdiag.recording import RecordingError, load, save

REAL = Path(__file__).parent.parent / "recordings" / "crash-app"
POD = Ref("Pod", "crash-app", "api")


def pod(name: str, restarts: int = 0) -> dict[str, Any]:
    status = {"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": restarts}]}
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "s", "uid": name},
        "status": status,
    }


def change(time: str, kind: str, obj: dict[str, Any]) -> str:
    return json.dumps({"t": f"2026-11-21T22:{time}.000Z", "type": kind, "object": obj}) + "\n"


def write(folder: Path, objects: str, about: str | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "objects.jsonl").write_text(objects)
    if about is not None:
        (folder / "recording.yaml").write_text(about)
    return folder


def pack(folder: Path, target: Path, top: str = "") -> Path:
    with tarfile.open(target, "w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, f"{top}{path.relative_to(folder)}", recursive=False)
    return target


def test_a_real_one_is_read_whole() -> None:
    snapshot = load(REAL)
    found = snapshot.find(POD)
    assert found is not None
    assert found["status"]["containerStatuses"][0]["restartCount"] == 5
    assert "ModuleNotFoundError" in snapshot.logs["crash-app", "api", "app", True].text
    assert {unit for _, unit in snapshot.journal} == {"kubelet", "containerd"}
    assert len(snapshot.journal["node1", "kubelet"]) > 20
    assert snapshot.title == "the application exits with an error"
    assert not snapshot.gaps


@pytest.mark.parametrize("top", ["", "crash-app/"])
def test_packed_is_the_same(tmp_path: Path, top: str) -> None:
    packed, folder = load(pack(REAL, tmp_path / "incident.tar.gz", top)), load(REAL)
    assert packed.find(POD) == folder.find(POD)
    assert packed.logs == folder.logs
    assert packed.journal == folder.journal
    assert [change.load() for change in packed.history] == [change.load() for change in folder.history]


def test_at_a_moment_it_is_as_it_was() -> None:
    early = load(REAL, "2026-11-21T22:29:35Z")
    found = early.find(POD)
    assert found is not None
    assert found["status"]["containerStatuses"][0]["restartCount"] < 5
    assert early.taken_at < load(REAL).taken_at
    assert all(entry.at <= early.taken_at for entries in early.journal.values() for entry in entries)
    assert load(REAL, "2026-11-21T22:00:00Z").find(POD) is None


def test_the_state_is_the_fold_of_all_lines(tmp_path: Path) -> None:
    lines = (
        change("01:00", "ADDED", pod("a"))
        + change("02:00", "ADDED", pod("b"))
        + change("03:00", "MODIFIED", pod("a", 3))
    )
    snapshot = load(write(tmp_path / "r", lines + change("04:00", "DELETED", pod("b"))))
    assert snapshot.find(Ref("Pod", "s", "b")) is None
    assert [item.type for item in snapshot.history_of(Ref("Pod", "s", "b"))] == ["ADDED", "DELETED"]
    assert [
        item.load()["status"]["containerStatuses"][0]["restartCount"]
        for item in snapshot.history_of(Ref("Pod", "s", "a"))
    ] == [0, 3]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    ran = pod("a")
    ran["spec"] = {"nodeName": "n"}
    ran["status"]["containerStatuses"][0]["containerID"] = "containerd://1"
    snapshot = load(write(tmp_path / "r", change("01:00", "ADDED", ran)))
    assert {gap.what for gap in snapshot.gaps} == {"recording.yaml", "container logs", "node journals"}


def test_nulls_in_lists_are_left_out(tmp_path: Path) -> None:
    odd = pod("a")
    odd["status"]["conditions"] = [None, {"type": "Ready", "status": "True"}]
    odd["spec"] = {"containers": [None, {"name": "app", "env": [None]}]}
    found = load(write(tmp_path / "r", change("01:00", "ADDED", odd))).find(Ref("Pod", "s", "a"))
    assert found is not None
    assert found["spec"]["containers"] == [{"name": "app", "env": []}]
    assert found["status"]["conditions"] == [{"type": "Ready", "status": "True"}]


def test_what_never_was_is_not_missed(tmp_path: Path) -> None:
    snapshot = load(write(tmp_path / "r", change("01:00", "ADDED", pod("a")), "format: k8sdiag-recording/v1\n"))
    assert not snapshot.gaps, "no container ran and no pod was bound: there are no logs and no journals to miss"


def test_a_deleted_object_is_known_as_it_last_was(tmp_path: Path) -> None:
    lines = (
        change("01:00", "ADDED", pod("a"))
        + change("02:00", "MODIFIED", pod("a", 4))
        + change("03:00", "DELETED", pod("a", 4))
    )
    snapshot = load(write(tmp_path / "r", lines))
    ref = Ref("Pod", "s", "a")
    assert snapshot.deleted("Pod") == [ref]
    found = snapshot.with_deleted(ref).find(ref)
    assert found is not None
    assert found["status"]["containerStatuses"][0]["restartCount"] == 4
    assert snapshot.find(ref) is None


def test_absence_proves_something_only_of_kinds_that_were_recorded(tmp_path: Path) -> None:
    secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "here", "namespace": "s"}}
    snapshot = load(write(tmp_path / "r", change("01:00", "ADDED", secret)))
    assert snapshot.exists("Secret", "s", "here") is True
    assert snapshot.exists("Secret", "s", "gone") is False
    assert snapshot.exists("Secret", "elsewhere", "gone") is None
    assert snapshot.exists("ConfigMap", "s", "gone") is None
    said = load(
        write(tmp_path / "r", change("01:00", "ADDED", secret), "format: k8sdiag-recording/v1\nkinds: [ConfigMap]\n")
    )
    assert said.exists("ConfigMap", "s", "gone") is False


GOOD = change("01:00", "ADDED", pod("a"))


@pytest.mark.parametrize(
    ("objects", "about", "said"),
    [
        (GOOD + GOOD[:60], None, "objects.jsonl:2: not JSON"),
        (GOOD + GOOD[:60], None, "(the line is cut off)"),
        (GOOD + '{"t": "2026-11-21T22:01:00Z", "type": "ADDED"}\n', None, "objects.jsonl:2: not a change"),
        (GOOD + "[1, 2]\n", None, "objects.jsonl:2: not a change"),
        (
            GOOD.replace("ADDED", "CREATED"),
            None,
            "objects.jsonl:1: 't' must be a time and 'type' ADDED, MODIFIED or DELETED",
        ),
        (GOOD, "format: k8sdiag-recording/v2\n", "recording.yaml:1: format is 'k8sdiag-recording/v2'"),
        (GOOD, "- a list\n", "recording.yaml:1: not a mapping"),
        (GOOD, "format: [\n", "recording.yaml:2: not YAML"),
    ],
)
def test_bad_content_is_refused_with_file_and_line(tmp_path: Path, objects: str, about: str | None, said: str) -> None:
    with pytest.raises(RecordingError) as caught:
        load(write(tmp_path / "r", objects, about))
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(RecordingError, match="--at yesterday: not an RFC 3339 time"):
        load(REAL, "yesterday")


def test_no_recording_at_all(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no such recording"):
        load(tmp_path / "nowhere")
    with pytest.raises(RecordingError, match=r"no objects\.jsonl"):
        load(tmp_path)


def archive_with(target: Path, add: Callable[[tarfile.TarFile], None]) -> Path:
    with tarfile.open(target, "w:gz") as archive:
        data = GOOD.encode()
        info = tarfile.TarInfo("objects.jsonl")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
        add(archive)
    return target


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Callable[[tarfile.TarFile], None]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return lambda archive: archive.addfile(info)


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (member("../outside"), "leads outside the archive"),
        (member("/etc/passwd"), "leads outside the archive"),
        (member("logs/../../outside"), "leads outside the archive"),
        (member("logs/link", tarfile.SYMTYPE, "/etc/passwd"), "is a link or a device"),
        (member("logs/hard", tarfile.LNKTYPE, "objects.jsonl"), "is a link or a device"),
        (member("device", tarfile.CHRTYPE), "is a link or a device"),
    ],
)
def test_an_archive_that_reaches_out_is_refused(
    tmp_path: Path, add: Callable[[tarfile.TarFile], None], said: str
) -> None:
    with pytest.raises(RecordingError, match=said):
        load(archive_with(tmp_path / "bad.tar.gz", add))


def test_ten_gigabytes_of_zeros_are_refused_at_once(tmp_path: Path) -> None:
    """A gzip stream may be many members on end, so ten real gigabytes of zeros fit in a small file."""
    info = tarfile.TarInfo("objects.jsonl")
    info.size = 10 << 30
    chunk = gzip.compress(bytes(64 << 20), 1)
    with (tmp_path / "zeros.tar.gz").open("wb") as out:
        out.write(gzip.compress(info.tobuf()))
        for _ in range(160):
            out.write(chunk)
    with pytest.raises(RecordingError, match=f"unpacks to more than {MAX_BYTES >> 20} MiB"):
        load(tmp_path / "zeros.tar.gz")


NO_ARCHIVES = {
    "empty": b"",
    "text": b"not gzip",
    "no tar": gzip.compress(b"not tar" * 999, mtime=0),
    "cut off": gzip.compress(bytes(4096), mtime=0)[:-20],
}


@pytest.mark.parametrize("data", NO_ARCHIVES.values(), ids=NO_ARCHIVES)
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.tar.gz").write_bytes(data)
    with pytest.raises(RecordingError):
        load(tmp_path / "bad.tar.gz")


def test_a_broken_journal_is_refused_with_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    shutil.copytree(REAL, folder)
    journal = folder / "journal" / "node1" / "kubelet.export.gz"
    journal.write_bytes(journal.read_bytes()[:-100])
    with pytest.raises(RecordingError, match=r"kubelet\.export\.gz: not readable gzip"):
        load(folder)


def test_a_link_out_of_a_folder_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "r", GOOD)
    (tmp_path / "secret").write_text("secret")
    (folder / "logs" / "s" / "a").mkdir(parents=True)
    (folder / "logs" / "s" / "a" / "app.log").symlink_to(tmp_path / "secret")
    with pytest.raises(RecordingError, match="leads outside the recording"):
        load(folder)


def entry(**fields: bytes) -> bytes:
    parts = []
    for name, value in fields.items():
        plain = b"\n" not in value and value.isascii()
        long_form = name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
        parts.append(name.encode() + b"=" + value + b"\n" if plain else long_form)
    return b"".join(parts) + b"\n"


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_journal_export_round_trips_any_message(messages: list[bytes]) -> None:
    data = b"".join(entry(__REALTIME_TIMESTAMP=b"1795300169234650", PRIORITY=b"3", MESSAGE=m) for m in messages)
    found = [item.message for item in parse_export(io.BytesIO(data), "n", "kubelet.service")]
    assert found == [message.rstrip(b"\n").decode("utf-8", "replace") for message in messages]


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_journal_export_of_anything_ends(data: bytes) -> None:
    assert len(list(parse_export(io.BytesIO(data), "n", "kubelet"))) <= len(data)


def test_an_endless_field_is_cut() -> None:
    data = entry(MESSAGE=b"x" * (3 << 20) + b"\n") + entry(MESSAGE=b"after")
    found = [item.message for item in parse_export(io.BytesIO(data), "n", "kubelet")]
    assert len(found[0]) == 1 << 20
    assert found[1] == "after"


def test_what_is_saved_is_read_again_without_secrets(tmp_path: Path) -> None:
    last_applied = "kubectl.kubernetes.io/last-applied-configuration"
    web = pod("web")
    web["metadata"] |= {"managedFields": [{"manager": "x"}], "annotations": {last_applied: "{}", "kept": "yes"}}
    secret = {"kind": "Secret", "metadata": {"name": "s", "namespace": "s"}, "data": {"word": "c2VzYW1l"}}
    began, later = "2026-11-21T22:00:00.000001Z", "2026-11-21T22:00:01.5Z"
    changes = [(began, "ADDED", web), (began, "ADDED", secret), (later, "MODIFIED", pod("web", 1)),
               (later, "ADDED", pod("gone")), (later, "DELETED", pod("gone"))]  # fmt: skip
    log = ContainerLog("s", "web", "app", True, "2026-11-21T22:00:00Z no\n")
    save(tmp_path / "made", changes, at=1_795_298_402.0, title="made", kinds=["Node"], logs=[log])
    read = load(tmp_path / "made")
    assert (read.title, read.taken_at) == ("made", 1_795_298_402.0)
    assert read.get("Secret", "s", "s") == {**secret, "data": {"word": "UkVEQUNURUQ="}}
    assert [one.ref.name for one in read.history] == ["web", "web", "gone", "gone"]
    assert read.history[0].load()["metadata"] == {"name": "web", "namespace": "s", "uid": "web",
                                                  "annotations": {"kept": "yes"}}  # fmt: skip
    assert read.exists("Node", "", "n1") is False
    assert read.exists("ConfigMap", "s", "c") is None
    assert read.logs == {("s", "web", "app", True): log}
    assert "c2VzYW1l" not in (tmp_path / "made" / "objects.jsonl").read_text()
    assert web["metadata"]["managedFields"]  # what was given is left alone
    with pytest.raises(FileExistsError):
        save(tmp_path / "made", [], at=0.0, title="again")
