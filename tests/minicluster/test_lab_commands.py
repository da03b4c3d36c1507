"""`k8sdiag lab` through the real command line: start, stop, what it refuses and says, who may do what, and what it
survives."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from k8sdiag.clock import sleep
from tests.minicluster.conftest import find_kubectl

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "k8sdiag"]


class Home:
    """A user's home with labs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "K8SDIAG", "XDG_"))
        } | {"XDG_STATE_HOME": str(folder), "HOME": str(folder), "PYTHONPATH": str(ROOT)}
        self.names: set[str] = {"lab"}

    def lab(self, *words: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        return self.k8sdiag("lab", *words, code=code, **env)

    def k8sdiag(self, *words: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *words],
            capture_output=True,
            text=True,
            env={**self.env, **env},
            cwd=self.folder,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def kubectl(self, *words: str, code: int = 0, config: Path | None = None) -> subprocess.CompletedProcess[str]:
        path = config or self.place() / "kubeconfig"
        done = subprocess.run(
            [find_kubectl(), "--kubeconfig", str(path), *words],
            capture_output=True,
            text=True,
            env=self.env,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done.stdout}\n{done.stderr}"
        return done

    def place(self, name: str = "lab") -> Path:
        return self.folder / "k8sdiag" / "labs" / name

    def pid(self, name: str = "lab") -> int:
        return int(json.loads((self.place(name) / "lab.json").read_text())["pid"])

    def end(self) -> None:
        for name in sorted(self.names):
            subprocess.run([*COMMAND, "lab", "down", "--name", name], env=self.env, capture_output=True, check=False)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose lab runs, for tests that leave it as it is."""
    made = Home(tmp_path_factory.mktemp("home"))
    try:
        made.lab("up", "--port", free_port(), "--nodes", "1")
        yield made
    finally:
        made.end()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home without a lab."""
    made = Home(tmp_path)
    try:
        yield made
    finally:
        made.end()


def _sentence(done: subprocess.CompletedProcess[str]) -> str:
    """What was said instead of an answer: one line."""
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("k8sdiag: ")
    return lines[0].removeprefix("k8sdiag: ")


@pytest.mark.slow
def test_a_lab_that_runs_says_where(up: Home) -> None:
    done = up.lab("status")
    url = done.stdout.splitlines()[0].split(" at ")[1].split()[0]
    assert f"the lab 'lab' runs at {url} (process {up.pid()})" in done.stdout
    assert "nodes       1" in done.stdout
    answer = json.loads(up.lab("status", "-o", "json").stdout)
    assert answer["name"] == "lab"
    assert (answer["running"], answer["ready"], answer["pid"], answer["url"]) == (True, True, up.pid(), url)
    assert answer["counts"]["nodes"] == 1
    path = up.lab("kubeconfig", "--path").stdout.strip()
    assert Path(path).read_text() == up.lab("kubeconfig").stdout
    assert Path(path).stat().st_mode & 0o077 == 0
    assert up.kubectl("get", "nodes", "-o", "name").stdout == "node/node1\n"


@pytest.mark.slow
def test_it_starts_once(up: Home) -> None:
    said = _sentence(up.lab("up", code=3))
    assert said.startswith("the lab 'lab' runs already at https://127.0.0.1:")
    assert said.endswith("`k8sdiag lab down` stops it")


@pytest.mark.slow
def test_a_port_is_taken_once_and_labs_have_names(up: Home) -> None:
    port = json.loads((up.place() / "lab.json").read_text())["port"]
    up.names.add("other")
    said = _sentence(up.lab("up", "--name", "other", "--port", str(port), code=3))
    assert said == f"port {port} on 127.0.0.1 is taken: choose another with --port"
    started = up.lab("up", "--name", "other", "--port", free_port(), "--nodes", "0")
    assert "export KUBECONFIG=$(k8sdiag lab kubeconfig --name other --path)" in started.stdout
    assert up.lab("status", K8SDIAG_LAB="other").stdout.startswith("the lab 'other' runs at")
    assert json.loads(up.k8sdiag("scan", "--lab", "-A", "-o", "json", K8SDIAG_LAB="other").stdout)["kind"] == "Scan"
    assert up.lab("down", "--name", "other").stdout == "the lab 'other' is stopped\n"
    assert up.lab("status").stdout.startswith("the lab 'lab' runs at")


def test_what_does_not_run_is_a_sentence(home: Home) -> None:
    done = home.lab("status", code=1)
    assert done.stdout == f"the lab 'lab' does not run; it has no state ({home.place()})\n"
    assert json.loads(home.lab("status", "-o", "json", code=1).stdout)["running"] is False
    assert home.lab("down").stdout == "the lab 'lab' does not run\n"
    assert home.lab("reset", "--yes").stdout == "the lab 'lab' has no state\n"
    assert _sentence(home.lab("kubeconfig", code=3)) == "the lab 'lab' has never run: `k8sdiag lab up` starts it"
    for words in (("lab", "user", "jane", "--clusterrole", "view"), ("pod", "web", "--lab"), ("scan", "--lab")):
        assert _sentence(home.k8sdiag(*words, code=3)) == "the lab 'lab' does not run: `k8sdiag lab up` starts it"
    said = _sentence(home.k8sdiag("pod", "web", "--lab", code=3, K8SDIAG_LAB="No!"))
    assert said == "K8SDIAG_LAB: 'No!' is no name for a lab: small letters, digits and dashes"
    assert "is no name for a lab" in home.lab("status", "--name", "../x", code=2).stderr
    assert not list(home.folder.rglob("lab.json"))


@pytest.mark.slow
def test_users_may_do_what_their_role_allows(up: Home, tmp_path: Path) -> None:
    jane, ci = tmp_path / "jane.yaml", tmp_path / "ci.yaml"
    jane.write_text(up.lab("user", "jane", "--clusterrole", "view").stdout)
    assert "jane" in up.kubectl("auth", "whoami", config=jane).stdout
    assert up.kubectl("get", "pods", "-A", config=jane).returncode == 0
    assert up.kubectl("auth", "can-i", "delete", "pods", code=1, config=jane).stdout == "no\n"
    assert up.kubectl("auth", "can-i", "list", "deployments.apps", config=jane).stdout == "yes\n"
    refused = up.kubectl("create", "configmap", "x", code=1, config=jane).stderr
    assert refused == (
        'error: failed to create configmap: configmaps is forbidden: User "jane" cannot create resource "configmaps"'
        ' in API group "" in the namespace "default"\n'
    )
    up.kubectl("create", "namespace", "shop")
    up.kubectl("create", "role", "reader", "-n", "shop", "--verb=get,list", "--resource=pods")
    up.lab("user", "ci", "--role", "reader", "-n", "shop", "-o", str(ci), "--group", "builders")
    assert ci.stat().st_mode & 0o077 == 0
    assert up.kubectl("get", "pods", config=ci).stderr == "No resources found in shop namespace.\n"
    assert "builders" in up.kubectl("auth", "whoami", config=ci).stdout
    assert (
        'User "ci" cannot list resource "pods" in API group "" in the namespace "default"'
        in up.kubectl("get", "pods", "-n", "default", code=1, config=ci).stderr
    )
    assert 'secrets is forbidden: User "ci"' in up.kubectl("get", "secrets", code=1, config=ci).stderr


@pytest.mark.slow
def test_users_need_a_role_that_there_is(up: Home) -> None:
    said = _sentence(up.lab("user", "joe", "--clusterrole", "ghost", code=3))
    assert said == 'clusterroles.rbac.authorization.k8s.io "ghost" not found'
    assert "give --clusterrole, or --role with --namespace" in up.lab("user", "joe", "--role", "x", code=2).stderr


@pytest.mark.slow
def test_state_is_kept_over_down_and_kill_and_gone_with_reset(home: Home) -> None:
    port = free_port()
    home.lab("up", "--port", port, "--nodes", "2")
    home.kubectl("create", "configmap", "kept", "--from-literal=a=1")
    before = (home.place() / "kubeconfig").read_bytes()
    assert home.lab("down").stdout == "the lab 'lab' is stopped\n"
    assert "does not run; its state is kept" in home.lab("status", code=1).stdout
    home.lab("up")  # port and nodes as before
    assert (home.place() / "kubeconfig").read_bytes() == before
    assert home.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}").stdout == "1"
    assert home.kubectl("get", "nodes", "-o", "name").stdout == "node/node1\nnode/node2\n"

    home.kubectl("create", "configmap", "kept2")
    os.kill(home.pid(), signal.SIGKILL)
    _until(lambda: "does not run" in home.lab("status", code=1).stdout if not _alive(home.pid()) else False)
    home.lab("up")
    assert home.kubectl("get", "configmap", "kept", "kept2", "-o", "name").stdout == "configmap/kept\nconfigmap/kept2\n"

    assert _sentence(home.lab("reset", code=3)) == "nobody is there to say yes: use --yes"
    done = home.lab("reset", "--yes")
    assert done.stdout.startswith(f"the lab 'lab' is empty\nit runs again at https://127.0.0.1:{port}")
    assert 'configmaps "kept" not found' in home.kubectl("get", "configmap", "kept", code=1).stderr


@pytest.mark.slow
def test_in_the_foreground_ctrl_c_ends_it(home: Home) -> None:
    process = subprocess.Popen(
        [*COMMAND, "lab", "up", "--foreground", "--port", free_port(), "--nodes", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=home.env,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Kubernetes v1.33 at https://127.0.0.1:")
    home.lab("status")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in errors) == (0, False)
    home.lab("status", code=1)


@pytest.mark.slow
def test_it_survives_its_terminal(home: Home) -> None:
    port = free_port()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(  # in a terminal of its own, as a login shell's child
            sys.executable, [*COMMAND, "lab", "up", "--port", port, "--nodes", "0"], home.env
        )
    said = b""
    while b"lab down" not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)  # everything that belongs to it is told to hang up
    os.waitpid(pid, 0)
    sleep(0.5)
    assert home.lab("status").stdout.startswith(f"the lab 'lab' runs at https://127.0.0.1:{port}")


@pytest.mark.slow
def test_others_are_let_in_only_with_a_word_of_warning(home: Home) -> None:
    done = home.lab("up", "--bind", "0.0.0.0", "--port", free_port(), "--nodes", "0")
    assert "whoever can reach this machine can reach the lab" in done.stderr
    assert home.kubectl("get", "namespaces").returncode == 0


@pytest.mark.slow
def test_a_folder_that_cannot_be_made_is_a_sentence(home: Home, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for place in (tmp_path / "file", Path("/proc/none")):
        done = home.lab("up", "--name", "nowhere", code=3, XDG_STATE_HOME=str(place))
        assert f"k8sdiag: the lab's folder {place}/k8sdiag/labs/nowhere cannot be made: " in done.stderr
        assert "internal error" not in done.stderr


def test_a_state_that_cannot_be_used_is_a_sentence(home: Home) -> None:
    home.place().mkdir(parents=True)
    state = home.place() / "state.db"
    state.write_bytes(b"no database at all, but some bytes" * 100)
    said = _sentence(home.lab("up", "--port", free_port(), code=3))
    assert said.startswith(f"{state} is damaged (file is not a database); restore a copy, or start afresh with")
    said = _sentence(home.lab("up", "--foreground", "--port", free_port(), code=3))
    assert said.startswith(f"{state} is damaged")
    state.unlink()
    with sqlite3.connect(state) as other:
        other.execute("CREATE TABLE somebody (elses TEXT)")
    other.close()
    said = _sentence(home.lab("up", "--port", free_port(), code=3))
    assert said == f"{state} is not a lab's storage; give another path"


@pytest.mark.parametrize("word", ["up", "down", "status", "kubeconfig", "reset", "user"])
def test_help_has_examples(home: Home, word: str) -> None:
    said = home.lab(word, "--help").stdout
    assert "Examples:" in said
    assert f"k8sdiag lab {word}" in said


def test_names_of_labs_are_completed(home: Home) -> None:
    for name in ("alpha", "beta"):
        home.place(name).mkdir(parents=True)
    env = {"_K8SDIAG_COMPLETE": "complete_bash", "COMP_WORDS": "k8sdiag lab down --name al", "COMP_CWORD": "4"}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "k8sdiag")],
        env={**home.env, **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.split() == ["alpha"]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _until(holds: object, patience: float = 10.0) -> None:
    assert callable(holds)
    for _ in range(int(patience / 0.1)):
        if holds():
            return
        sleep(0.1)
    raise AssertionError("it did not come about")
