"""The commands as a user meets them: names, answers, exit codes, and one sentence where there is no answer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
RECORDINGS = ROOT / "recordings"
CRASH = str(RECORDINGS / "crash-app")


def run(*words: str, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    quiet = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "KUBECONFIG")}
    return subprocess.run(
        [sys.executable, "-m", "k8sdiag", *words],
        capture_output=True,
        text=True,
        input=stdin,
        env={**quiet, **env},
        cwd=ROOT,
        timeout=60,
        check=False,
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str], said: str) -> None:
    assert done.returncode == 3, done
    assert re.search(said, done.stderr), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_pod_names_the_cause_and_fails() -> None:
    done = run("pod", "api", "--from", CRASH)
    assert done.returncode == 1
    assert "Python cannot find the module flask" in done.stdout.replace("\n  ", " ")
    assert not done.stderr
    assert "\x1b" not in done.stdout, "plain when piped"
    assert max(map(len, (line for line in done.stdout.splitlines() if "kubectl" not in line))) <= 80


def test_pod_takes_the_beginning_of_a_name_and_kubectls_words() -> None:
    for word in ("a", "pod/api", "po/ap"):
        assert run("pod", word, "--from", CRASH).returncode == 1
    assert run("check", "pod", "api", "--from", CRASH).returncode == 1


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert_one_sentence(run("pod", "apj", "--from", CRASH), r"pod/apj not found in recording crash-app; nearest: api")


def test_several_that_begin_so_are_told() -> None:
    done = run("pod", "web-", "-n", "ok-web", "--from", str(RECORDINGS / "ok-web"))
    assert_one_sentence(done, r"could be any of web-74789d69bf-src5b, web-74789d69bf-tc4d7")


def test_healthy_is_zero() -> None:
    done = run("check", "deploy/web", "--from", str(RECORDINGS / "ok-web"))
    assert done.returncode == 0
    assert "nothing wrong found" in done.stdout


def test_fail_on_moves_the_bar() -> None:
    assert run("pod", "api", "--from", CRASH, "--fail-on", "critical").returncode == 0
    assert run("pod", "api", "--from", CRASH, "--fail-on", "warning").returncode == 1


@pytest.mark.parametrize(
    "words",
    [
        ["pod"],
        ["pod", "api", "--from", CRASH, "-o", "xml"],
        ["pod", "api", "--from", CRASH, "--fail-on", "bad"],
        ["pod", "deployment/web", "--from", CRASH],
        ["check", "--from", CRASH],
        ["check", "web", "--from", CRASH],
        ["check", "unicorn/web", "--from", CRASH],
        ["check", "pod/api", "-f", "x.yaml", "--from", CRASH],
        ["pod", "api", "--at", "2026-11-21T22:30:00Z"],
        ["pod", "api", "--request-timeout", "soon"],
        ["nonsense"],
    ],
)
def test_wrong_usage_is_two(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("fmt", ["text", "json", "yaml", "markdown", "html", "junit", "sarif"])
def test_every_format(fmt: str) -> None:
    done = run("pod", "api", "--from", CRASH, "-o", fmt)
    assert done.returncode == 1
    assert "flask" in done.stdout


def test_at_a_moment_of_the_past() -> None:
    done = run("pod", "api", "--from", CRASH, "--at", "2026-11-21T22:29:35Z", "-o", "json")
    assert json.loads(done.stdout)["takenAt"] == "2026-11-21T22:29:35Z"


def test_a_manifest_names_what_to_check(tmp_path: Path) -> None:
    manifest = (RECORDINGS / "ok-web" / "manifest.yaml").read_text()
    (tmp_path / "web.yaml").write_text(manifest)
    for words, stdin in (
        (["-f", str(tmp_path / "web.yaml")], None),
        (["-f", str(tmp_path)], None),
        (["-f", "-"], manifest),
    ):
        done = run("check", *words, "-n", "ok-web", "--from", str(RECORDINGS / "ok-web"), "-o", "json", stdin=stdin)
        assert done.returncode == 0, done
        kinds = {item["subject"]["kind"] for item in json.loads(done.stdout)["items"]}
        assert kinds == {"Deployment", "Service"}


def test_a_manifest_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: b: c\n")
    assert_one_sentence(run("check", "-f", str(tmp_path / "bad.yaml"), "--from", CRASH), r"bad\.yaml:1: not YAML")
    assert_one_sentence(
        run("check", "-f", str(tmp_path / "none.yaml"), "--from", CRASH), r"cannot be read: No such file"
    )
    (tmp_path / "deep.yaml").write_text("[" * 100_000)
    assert_one_sentence(run("check", "-f", str(tmp_path / "deep.yaml"), "--from", CRASH), "nested too deeply")
    (tmp_path / "empty.yaml").write_text("")
    assert_one_sentence(
        run("check", "-f", str(tmp_path / "empty.yaml"), "--from", CRASH), "names nothing that can be checked"
    )


def test_scan_groups_by_cause() -> None:
    done = run("scan", "--from", CRASH, "-o", "json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["kind"] == "Scan"
    assert [group["rule"] for group in answer["groups"]] == ["log-python-module-missing"]
    assert run("scan", "-A", "--from", str(RECORDINGS / "ok-web")).returncode == 0


def test_nothing_to_look_at_is_not_healthy() -> None:
    assert_one_sentence(
        run("scan", "-n", "nowhere", "--from", CRASH), "namespace nowhere is not in recording crash-app"
    )
    assert_one_sentence(run("scan", "--from", CRASH, "--at", "2020-01-01T00:00:00Z"), "holds nothing at this moment")


def test_a_bad_recording_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "objects.jsonl").write_text('{"t": "2026')
    assert_one_sentence(run("pod", "web", "--from", str(tmp_path)), r"objects\.jsonl:1: not JSON")
    assert_one_sentence(run("pod", "web", "--from", str(tmp_path / "none")), "no such recording")


def test_a_playbook_with_a_typo_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("id: mine\nseverty: error\n")
    done = run("pod", "api", "--from", CRASH, "--playbooks", str(tmp_path))
    assert_one_sentence(done, r"mine\.yaml:2: unknown key 'severty' \(did you mean 'severity'\?\)")


def test_no_cluster_is_one_sentence(tmp_path: Path) -> None:
    config = kubeconfig_for(tmp_path, "https://127.0.0.1:1")
    assert_one_sentence(run("pod", "web", "--kubeconfig", config), "refused")
    assert_one_sentence(run("pod", "web", "--kubeconfig", str(tmp_path / "none")), "none")
    assert_one_sentence(run("pod", "web", "--kubeconfig", config, "--context", "moon"), "moon")
    assert_one_sentence(run("scan", "--kubeconfig", config), "refused")


def kubeconfig_for(folder: Path, server: str) -> str:
    path = folder / "config"
    path.write_text(
        f"apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n"
        "users: [{name: u, user: {token: t}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
    )
    return str(path)


def test_help_has_examples_and_version_is_said() -> None:
    assert "k8sdiag check deployment/web" in run("--help").stdout
    for command in ("pod", "check", "scan"):
        assert "Examples:" in run(command, "--help").stdout
    assert run("--version").stdout.startswith("k8sdiag 0.")


def test_playbooks_are_listed_shown_and_checked(tmp_path: Path) -> None:
    assert "pods/oom-killed" in run("playbooks", "list").stdout
    assert run("playbooks", "show", "oom-killed").stdout == (ROOT / "playbooks/pods/oom-killed.yaml").read_text()
    assert_one_sentence(run("playbooks", "show", "oom-kiled"), "nearest: oom-killed")
    assert "no mistake" in run("playbooks", "check", "playbooks").stdout
    (tmp_path / "mine.yaml").write_text("id: mine\n")
    assert_one_sentence(run("playbooks", "check", str(tmp_path)), r"mine\.yaml:1: 'severity' is missing")
    assert "limits.memory" in run("playbooks", "facts", "container").stdout


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = f"{sys.executable} -m k8sdiag playbooks list | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert "Traceback" not in done.stderr
    assert done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
@pytest.mark.parametrize("words", [("pod", "api", "--from", CRASH), ("playbooks", "list")])
def test_an_answer_that_cannot_be_written_is_no_answer(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "k8sdiag", *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 3
    assert done.stderr == "k8sdiag: cannot write the answer: No space left on device\n"


def test_a_wrong_selector_is_corrected_to_the_labels_most_like_it() -> None:
    """There are pods with tier=api and with tier=front, in this order; the Service selects tier=frontend."""
    recording = str(RECORDINGS / "svc-selector-two-labels")
    done = run("check", "service/web", "--from", recording)
    assert done.returncode == 1
    assert "set selector service/web app=web,tier=front\n" in done.stdout
