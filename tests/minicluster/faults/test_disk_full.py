"""No room for the state: writes say so, reads go on, and where there is room again all is as it was acknowledged."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tests.minicluster.faults.process import LabProcess

PATH = "/api/v1/namespaces/default/configmaps"


@pytest.mark.slow
def test_no_room(tmp_path: Path) -> None:
    process = LabProcess(tmp_path / "lab")
    try:
        door = process.start()
        assert door.request("POST", PATH, {"metadata": {"name": "before"}, "data": {"a": "1"}})[0] == 201
        hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
        largest = max(file.stat().st_size for file in process.folder.path.glob("state.db*"))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest + 20_000, hard))
        acknowledged, refused = ["before"], []
        for number in range(8):
            name = f"full-{number}"
            code, answer = door.request("POST", PATH, {"metadata": {"name": name}, "data": {"a": "x" * 50_000}})
            if code == 201:
                acknowledged.append(name)
                continue
            refused.append(name)
            assert (code, answer["reason"]) == (500, "InternalError")
            assert "the storage could not be written" in answer["message"]
            assert door.request("GET", f"{PATH}/before")[1]["data"] == {"a": "1"}
        assert len(refused) >= 3
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert _first_success(process, door.request) == 201
        acknowledged.append("after")
        process.kill()
        door = process.start()
        _, listed = door.request("GET", PATH)
        assert set(acknowledged) <= {item["metadata"]["name"] for item in listed["items"]}
        assert "Traceback" not in process.log()
    finally:
        process.kill()


@pytest.mark.slow
def test_killed_while_there_is_no_room(tmp_path: Path) -> None:
    """What could not be written was not acknowledged; the rest is there."""
    process = LabProcess(tmp_path / "lab")
    try:
        door = process.start()
        for number in range(20):
            assert door.request("POST", PATH, {"metadata": {"name": f"c{number}"}})[0] == 201
        hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, hard))
        assert door.request("DELETE", f"{PATH}/c3")[0] == 500
        assert door.request("POST", PATH, {"metadata": {"name": "late"}})[0] == 500
        process.kill()
        door = process.start()
        names = {item["metadata"]["name"] for item in door.request("GET", PATH)[1]["items"]}
        assert {f"c{number}" for number in range(20)} <= names
        assert "late" not in names
    finally:
        process.kill()


def _first_success(process: LabProcess, request: object) -> int:
    """The lab tries again once a second."""
    assert callable(request)
    for attempt in range(10):
        code, _ = request("POST", PATH, {"metadata": {"name": "after" if not attempt else f"after-{attempt}"}})
        if code == 201:
            return int(code)
    return 500
