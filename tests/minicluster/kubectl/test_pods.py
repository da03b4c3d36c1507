"""Into and out of pods: logs, exec, attach, port-forward, cp, debug."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.minicluster.conftest import Kubectl, Lab, find_kubectl
from tests.minicluster.kubectl.conftest import until
from tests.minicluster.kubectl.shows import shows

TWO = """
apiVersion: v1
kind: Pod
metadata: {name: two, labels: {app: two}}
spec:
  terminationGracePeriodSeconds: 0
  initContainers: [{name: first, image: busybox, command: [sh, -c, 'echo init']}]
  containers:
  - {name: a, image: busybox, command: [sh, -c, 'echo a1; echo a2; echo a3; sleep 1000']}
  - name: b
    image: python:3.11-slim
    command: [sh, -c, 'echo b1; exec python3 -m http.server 80']
    ports: [{containerPort: 80}]
"""
WAITING = """
apiVersion: v1
kind: Pod
metadata: {name: shell}
spec:
  restartPolicy: Never
  containers: [{name: a, image: busybox, command: [cat], stdin: true, stdinOnce: true}]
"""
CHOICE = 'Defaulted container "a" out of: a, b, first (init)\n'


@pytest.fixture
def two(here: Kubectl) -> None:
    here("apply", "-f", "-", stdin=TWO)
    here("wait", "--for=condition=Ready", "pod/two", "--timeout=10s")
    until(lambda: "a3" in here("logs", "two", "a").stdout)


@contextmanager
def started(lab: Lab, *args: str) -> Iterator[subprocess.Popen[str]]:
    """A kubectl that goes on until the block ends."""
    running = subprocess.Popen(
        [find_kubectl(), "--kubeconfig", str(lab.kubeconfig), *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(lab.folder)},
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.mark.usefixtures("two")
@shows("kubectl logs NAME", "kubectl logs -c", "kubectl logs --all-containers", "kubectl logs -l SELECTOR")
@shows("kubectl logs --tail", "kubectl logs --since", "kubectl logs --since-time", "kubectl logs --timestamps")
@shows("kubectl logs --limit-bytes", "kubectl logs --prefix")
def test_logs(here: Kubectl) -> None:
    told = here("logs", "two")
    assert (told.stdout, told.stderr) == ("a1\na2\na3\n", CHOICE)
    assert here("logs", "two", "-c", "b").stdout == "b1\n"
    assert here("logs", "two", "first").stdout == "init\n"
    assert here("logs", "two", "a", "--tail=1").stdout == "a3\n"
    assert here("logs", "two", "a", "--tail=0").stdout == ""
    assert here("logs", "two", "a", "--limit-bytes=4").stdout == "a1\na"
    assert here("logs", "two", "a", "--since=1h").stdout == "a1\na2\na3\n"
    assert here("logs", "two", "a", "--since-time=2100-01-01T00:00:00Z").stdout == ""
    for line in here("logs", "two", "a", "--timestamps").stdout.splitlines():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z a[123]", line)
    every = here("logs", "-l", "app=two", "--all-containers", "--prefix").stdout.splitlines()
    assert sorted(every) == [  # containers in any order: kubectl keeps them in a map
        "[pod/two/a] a1",
        "[pod/two/a] a2",
        "[pod/two/a] a3",
        "[pod/two/b] b1",
        "[pod/two/first] init",
    ]
    nope = here("logs", "two", "-c", "nope", code=1).stderr
    assert nope == "error: container nope is not valid for pod two out of: a, b, first (init)\n"
    previous = here("logs", "two", "a", "-p", code=1).stderr
    assert previous == ('Error from server (BadRequest): previous terminated container "a" in pod "two" not found\n')


@shows("kubectl logs --previous", "kubectl logs deployment/NAME", "kubectl logs job/NAME")
def test_logs_of_what_has_ended(here: Kubectl) -> None:
    here("run", "crash", "--image=busybox", "--", "sh", "-c", "echo dying; exit 1")
    here("create", "job", "once", "--image=busybox", "--", "sh", "-c", "echo done")
    here("create", "deployment", "web", "--image=nginx")
    here("wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/crash", "--timeout=15s")
    here("wait", "--for=condition=Complete", "job/once", "--timeout=15s")
    here("rollout", "status", "deployment/web", "--timeout=15s")
    assert here("logs", "crash", "--previous").stdout == "dying\n"
    assert here("logs", "job/once").stdout == "done\n"
    assert "start worker processes\n" in here("logs", "deployment/web").stdout


def test_a_pod_without_a_node_has_no_log_yet(here: Kubectl) -> None:
    here("run", "lost", "--image=nginx", '--overrides={"spec":{"nodeSelector":{"no":"where"}}}')
    assert here("logs", "lost").stdout == ""
    assert here("exec", "lost", "--", "ls", code=1).stderr == (
        "error: unable to upgrade connection: pod lost does not have a host assigned\n"
    )
    assert here("port-forward", "lost", "8080:80", code=1).stderr == (
        "error: unable to forward port because pod is not running. Current status=Pending\n"
    )


@pytest.mark.slow
@shows("kubectl logs -f")
def test_logs_are_followed_to_the_end(here: Kubectl) -> None:
    here(
        "run",
        "slow",
        "--image=busybox",
        "--restart=Never",
        "--",
        "sh",
        "-c",
        "echo 1; sleep 1; echo 2; sleep 1; echo 3",
    )
    here("wait", "--for=condition=Ready", "pod/slow", "--timeout=10s")
    assert here("logs", "slow", "--tail=1").stdout == "1\n"
    assert here("logs", "slow", "-f").stdout == "1\n2\n3\n"
    here("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/slow", "--timeout=5s")
    assert here("exec", "slow", "--", "ls", code=1).stderr == (
        "error: cannot exec into a container in a completed pod; current phase is Succeeded\n"
    )


@pytest.mark.usefixtures("two")
@shows("kubectl exec NAME -- COMMAND", "kubectl exec -c", "kubectl exec -i", "kubectl exec deployment/NAME")
def test_exec(here: Kubectl) -> None:
    assert here("exec", "two", "-c", "b", "--", "hostname").stdout == "two\n"
    both = here("exec", "two", "--", "sh", "-c", "echo out; echo err >&2; exit 3", code=3)
    assert (both.stdout, both.stderr) == ("out\n", f"{CHOICE}err\ncommand terminated with exit code 3\n")
    unknown = here("exec", "two", "-c", "a", "--", "frobnicate", code=1).stderr
    assert re.fullmatch(
        r"error: Internal error occurred: Internal error occurred: error executing command in container: failed to exec"
        r' in container: failed to start exec "[0-9a-f]{64}": OCI runtime exec failed: exec failed: unable to'
        r" start container process: exec:"
        r' "frobnicate": executable file not found in \$PATH: unknown\n',
        unknown,
    )
    typed = "".join(f"line {number}\n" for number in range(50_000))
    assert here("exec", "-i", "two", "-c", "a", "--", "cat", stdin=typed).stdout == typed
    script = here("exec", "-i", "two", "-c", "a", "--", "sh", stdin="hostname\nexit 5\n", code=5)
    assert script.stdout == "two\n"
    assert here("exec", "nope", "--", "ls", code=1).stderr == 'Error from server (NotFound): pods "nope" not found\n'
    here("create", "deployment", "web", "--image=nginx")
    here("rollout", "status", "deployment/web", "--timeout=15s")
    assert here("exec", "deployment/web", "--", "hostname").stdout.startswith("web-")


@pytest.mark.usefixtures("two")
@shows("kubectl exec -it")
def test_a_terminal(lab: Lab, namespace: str) -> None:
    outer, inner = pty.openpty()
    command = ["--kubeconfig", str(lab.kubeconfig), "-n", namespace, "exec", "-it", "two", "-c", "a", "--", "sh"]
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(lab.folder), "TERM": "xterm"}
    shell = subprocess.Popen([find_kubectl(), *command], stdin=inner, stdout=inner, stderr=inner, env=environment)
    os.close(inner)
    seen = b""

    def expect(text: bytes) -> None:
        nonlocal seen
        end = time.monotonic() + 10
        while text not in seen:
            assert select.select([outer], [], [], max(0.0, end - time.monotonic()))[0], seen
            seen += os.read(outer, 4096)
        seen = seen.partition(text)[2]

    try:
        expect(b"/ # ")
        os.write(outer, b"hostname\r")
        expect(b"hostname\r\n")
        expect(b"two\r\n/ # ")
        os.write(outer, b"exit 3\r")
        expect(b"command terminated with exit code 3")
        assert shell.wait(10) == 3
    finally:
        shell.kill()
        shell.wait()
        os.close(outer)


@shows("kubectl attach NAME", "kubectl attach -i")
def test_attach(here: Kubectl) -> None:
    here("apply", "-f", "-", stdin=WAITING)
    here("run", "other", "--image=busybox", "--restart=Never", "--", "true")
    here("wait", "--for=condition=Ready", "pod/shell", "--timeout=10s")
    assert here("attach", "-i", "shell", "-q", stdin="hello\n").stdout == "hello\n"
    here("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/shell", "pod/other", "--timeout=10s")
    assert here("attach", "other", code=1).stderr == (
        "error: cannot attach a container in a completed pod; current phase is Succeeded\n"
    )


@pytest.mark.usefixtures("two")
@shows("kubectl port-forward pod/NAME", "kubectl port-forward service/NAME")
def test_port_forward(here: Kubectl, lab: Lab, namespace: str) -> None:
    with started(lab, "-n", namespace, "port-forward", "pod/two", ":80", "--address=127.0.0.1") as forward:
        assert forward.stdout is not None
        said = forward.stdout.readline()
        found = re.fullmatch(r"Forwarding from 127\.0\.0\.1:(\d+) -> 80\n", said)
        assert found, said
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/", timeout=10) as page:
                assert b"Directory listing for /" in page.read()
        assert forward.stdout.readline() == f"Handling connection for {found[1]}\n"
    here("expose", "pod", "two", "--port=8000", "--target-port=80")
    with started(lab, "-n", namespace, "port-forward", "service/two", ":8000", "--address=127.0.0.1") as forward:
        assert forward.stdout is not None
        said = forward.stdout.readline()
        found = re.fullmatch(r"Forwarding from 127\.0\.0\.1:(\d+) -> 80\n", said)
        assert found, said
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/", timeout=10) as page:
            assert b"Directory listing for /" in page.read()
    assert here("port-forward", "service/two", "8080:81", code=1).stderr == (
        "error: Service two does not have a service port 81\n"
    )


@pytest.mark.usefixtures("two")
def test_a_port_where_nobody_listens(lab: Lab, namespace: str) -> None:
    with started(lab, "-n", namespace, "port-forward", "pod/two", ":99", "--address=127.0.0.1") as forward:
        assert forward.stdout is not None
        assert forward.stderr is not None
        port = re.findall(r":(\d+) ", forward.stdout.readline())[0]
        with pytest.raises(OSError, match=r"Remote end closed|Connection reset"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)
        said = forward.stderr.readline()
        assert f"an error occurred forwarding {port} -> 99: error forwarding port 99 to pod" in said
        assert said.endswith('dial tcp4 127.0.0.1:99: connect: connection refused"\n')
        assert forward.stderr.readline() == "error: lost connection to pod\n"
        assert forward.wait(10) == 1


@pytest.mark.usefixtures("two")
@shows("kubectl cp")
def test_copying(here: Kubectl, tmp_path: Path) -> None:
    there, back = tmp_path / "file", tmp_path / "other"
    there.write_text("hello")
    here("cp", str(there), "two:/tmp/file", "-c", "a")
    assert here("exec", "two", "-c", "a", "--", "cat", "/tmp/file").stdout == "hello"
    here("cp", "two:/tmp/file", str(back), "-c", "a")
    assert back.read_text() == "hello"


@pytest.mark.usefixtures("two")
@shows("kubectl debug POD --image", "kubectl debug --target", "kubectl debug -i")
def test_a_container_is_added_for_debugging(here: Kubectl) -> None:
    here("debug", "two", "--image=busybox", "--container=look", "--target=a", "--", "sh", "-c", "echo seen; sleep 100")
    running = "jsonpath={.status.ephemeralContainerStatuses[0].state.running.startedAt}"
    here("wait", f"--for={running}", "pod/two", "--timeout=10s")
    assert here("logs", "two", "-c", "look").stdout == "seen\n"
    assert here("exec", "two", "-c", "look", "--", "hostname").stdout == "two\n"
    typed = here(
        "debug", "two", "-i", "-q", "--image=busybox", "--container=shell", "--", "sh", stdin="hostname\nexit\n"
    )
    assert typed.stdout == "two\n"
    ended = "jsonpath={.status.ephemeralContainerStatuses[1].state.terminated.reason}"
    here("wait", f"--for={ended}=Completed", "pod/two", "--timeout=10s")
    assert "Ephemeral Containers:\n  look:\n" in here("describe", "pod", "two").stdout
    taken = here("debug", "two", "--image=busybox", "--container=a", code=1).stderr
    assert taken.endswith('ephemeralContainers[2].name: Duplicate value: "a"\n')
    started_events = here("events", "--for", "pod/two").stdout
    assert "Started container look" in started_events


@pytest.mark.usefixtures("two")
@shows("kubectl debug --copy-to", "kubectl debug node/NAME")
def test_a_copy_and_a_node_are_debugged(here: Kubectl) -> None:
    here("debug", "two", "--copy-to=copy", "--set-image=*=busybox:2", "--same-node")
    copied = json.loads(here("get", "pod", "copy", "-o", "json").stdout)["spec"]
    assert [container["image"] for container in copied["containers"]] == ["busybox:2", "busybox:2"]
    made = here("debug", "node/node1", "--image=busybox", "--", "sleep", "1000")
    found = re.fullmatch(
        r"Creating debugging pod (node-debugger-node1-[a-z0-9]{5}) with container debugger on node node1\.\n",
        made.stdout + made.stderr,
    )
    assert found, made
    here("wait", "--for=condition=Ready", f"pod/{found[1]}", "--timeout=10s")
    spec = json.loads(here("get", "pod", found[1], "-o", "json").stdout)["spec"]
    assert (spec["nodeName"], spec["hostNetwork"], spec["hostPID"]) == ("node1", True, True)
    here("delete", "pod", found[1], "--now")
