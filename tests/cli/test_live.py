"""The commands against a live API server: the same answers as from a recording, and every refusal in a sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from k8sdiag.recording import load
from tests.canned_api import CannedApi, authority, hang, kubeconfig, refuse, serving

ROOT = Path(__file__).parent.parent.parent


def objects_of(name: str) -> list[dict[str, Any]]:
    snapshot = load(ROOT / "recordings" / name)
    return [obj for kind in snapshot.kinds() for obj in snapshot.of_kind(kind)]


def run(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "k8sdiag", *words, "--kubeconfig", str(config)]
    env = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT, timeout=60, check=False)


def answer(api: CannedApi, folder: Path, *words: str) -> dict[str, Any]:
    done = run(kubeconfig(folder / "config", api.url), *words, "-o", "json")
    assert done.returncode in (0, 1), done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("wait-tag-missing", "pod/web"),
        ("pend-cpu", "pod/web"),
        ("pend-quota", "deploy/web"),
        ("svc-selector", "svc/web"),
    ],
)
def test_live_and_recorded_answers_are_the_same(tmp_path: Path, name: str, subject: str) -> None:
    with serving(objects_of(name)) as api:
        live = answer(api, tmp_path, "check", subject, "-n", name)
    command = [
        sys.executable,
        "-m",
        "k8sdiag",
        "check",
        subject,
        "-n",
        name,
        "--from",
        f"recordings/{name}",
        "-o",
        "json",
    ]
    recorded = json.loads(subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False).stdout)
    assert live["findings"][0]["rule"] == recorded["findings"][0]["rule"]
    assert live["status"] == recorded["status"]


def test_the_contexts_namespace_is_the_default_and_a_prefix_will_do(tmp_path: Path) -> None:
    with serving(objects_of("wait-tag-missing")) as api:
        config = kubeconfig(tmp_path / "config", api.url, context={"namespace": "wait-tag-missing"})
        assert run(config, "pod", "we").returncode == 1
        done = run(config, "pod", "wep")
        assert (done.returncode, done.stdout) == (3, "")
        assert "nearest: web" in done.stderr


def test_forbidden_everything_but_pods_is_an_answer_with_gaps(tmp_path: Path) -> None:
    with serving(objects_of("crash-oom")) as api:
        api.on(r"^(?!/api/v1/namespaces/crash-oom/pods/cache(\?|$))", refuse(403, "forbidden: no"))
        found = answer(api, tmp_path, "pod", "cache", "-n", "crash-oom")
    assert found["findings"][0]["rule"] == "oom-killed"
    assert len(found["gaps"]) >= 3
    assert all("forbidden" in gap["reason"] for gap in found["gaps"] if "journal" not in gap["what"])
    assert not found["healthy"]


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_subject_that_cannot_be_read_is_one_sentence(tmp_path: Path, status: int) -> None:
    with serving(objects_of("crash-oom")) as api:
        api.on(r".*", refuse(status, "forbidden: no"))
        done = run(kubeconfig(tmp_path / "config", api.url), "pod", "cache", "-n", "crash-oom")
    assert_one_sentence(done)


def test_an_expired_certificate_is_one_sentence(tmp_path: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=2)
    old = authority().issue_cert("127.0.0.1", not_before=past - timedelta(days=1), not_after=past)
    authority().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serving([], old) as api:
        config = kubeconfig(tmp_path / "config", api.url, cluster={"certificate-authority": str(tmp_path / "ca.pem")})
        done = run(config, "pod", "web")
    assert_one_sentence(done)
    assert "certificate has expired" in done.stderr


def test_ctrl_c_ends_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    with serving([]) as api:
        api.on(r".*", hang)
        config = kubeconfig(tmp_path / "config", api.url)
        command = [
            sys.executable,
            "-m",
            "k8sdiag",
            "pod",
            "web",
            "--kubeconfig",
            str(config),
            "--request-timeout",
            "30s",
        ]
        asking = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        while not api.asked:
            time.sleep(0.05)
        begin = time.monotonic()
        asking.send_signal(signal.SIGINT)
        said = asking.communicate(timeout=20)[1]
        assert time.monotonic() - begin < 3
    assert asking.returncode == 130
    assert "Traceback" not in said


def test_a_namespace_that_is_not_there_is_not_healthy(tmp_path: Path) -> None:
    with serving(objects_of("ok-web")) as api:
        done = run(kubeconfig(tmp_path / "config", api.url), "scan", "-n", "nowhere")
    assert_one_sentence(done)
    assert "nowhere" in done.stderr


def test_scan_of_a_namespace(tmp_path: Path) -> None:
    with serving(objects_of("wait-tag-missing")) as api:
        found = answer(api, tmp_path, "scan", "-n", "wait-tag-missing")
    assert [group["rule"] for group in found["groups"]] == ["image-not-found"]


def assert_one_sentence(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 3, done
    assert not done.stdout
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr
