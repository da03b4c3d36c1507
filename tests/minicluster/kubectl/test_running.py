"""`kubectl run`, and waiting for what comes of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows


@contextmanager
def soon(here: Kubectl, *args: str) -> Iterator[None]:
    """A command that is given while the block waits."""
    timer = threading.Timer(0.4, lambda: here(*args))
    timer.start()
    yield
    timer.join()


@shows("kubectl run NAME --image", "kubectl run --dry-run=client -o yaml", "kubectl run --dry-run=server")
@shows("kubectl run --expose", "kubectl run --labels --env", "kubectl run --overrides")
def test_run(here: Kubectl, namespace: str) -> None:
    assert here("run", "web", "--image=nginx").stdout == "pod/web created\n"
    assert here("run", "web", "--image=nginx", code=1).stderr == (
        'Error from server (AlreadyExists): pods "web" already exists\n'
    )
    planned = yaml.safe_load(here("run", "plan", "--image=nginx", "--dry-run=client", "-o", "yaml").stdout)
    assert planned["metadata"] == {"labels": {"run": "plan"}, "name": "plan", "namespace": namespace}
    assert here("run", "plan", "--image=nginx", "--dry-run=server").stdout == "pod/plan created (server dry run)\n"
    assert "NotFound" in here("get", "pod", "plan", code=1).stderr
    made = here("run", "shop", "--image=nginx", "--port=80", "--expose", "--labels=tier=a", "--env=A=B").stdout
    assert made == "service/shop created\npod/shop created\n"
    here("run", "placed", "--image=nginx", '--overrides={"spec":{"nodeName":"node1"}}', "--privileged")
    assert here("get", "pod", "placed", "-o", "jsonpath={.spec.nodeName}").stdout == "node1"
    refused = here("run", "P_3", "--image=nginx", code=1).stderr
    assert refused.startswith('The Pod "P_3" is invalid: \n* metadata.name: Invalid value: "P_3": a lowercase RFC 1123')


@shows("kubectl run --restart", "kubectl run --command")
def test_how_often_it_runs(here: Kubectl) -> None:
    for policy in ("Never", "OnFailure", "Always"):
        here("run", policy.lower(), "--image=busybox", f"--restart={policy}", "--command", "--", "sh", "-c", "exit 0")
        said = here("get", "pod", policy.lower(), "-o", "jsonpath={.spec.restartPolicy} {.spec.containers[0].command}")
        assert said.stdout == f'{policy} ["sh","-c","exit 0"]'
    here("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/never", "pod/onfailure", "--timeout=10s")


@shows("kubectl run --rm -i", "kubectl run --attach", "kubectl run --quiet")
def test_what_a_pod_says_while_it_runs(here: Kubectl) -> None:
    once = ("--image=busybox", "--restart=Never", "--rm", "-i")
    assert here("run", "one", *once, "--quiet", "--", "sh", "-c", "echo from the pod").stdout == "from the pod\n"
    failed = here("run", "two", *once, "--", "sh", "-c", "echo from the pod; exit 4", code=4)
    assert "from the pod\n" in failed.stdout
    assert 'pod "two" deleted' in failed.stdout
    assert here("run", "name", *once, "--quiet", "--", "hostname").stdout == "name\n"
    typed = here("run", "three", *once, "--quiet", "--", "cat", stdin="hello\n")
    assert typed.stdout == "hello\n"
    shell = here("run", "four", *once, "--quiet", "--", "sh", stdin="hostname\nexit 3\n", code=3)
    assert shell.stdout == "four\n"
    assert here("get", "pods", "-o", "name").stdout == ""


@pytest.mark.slow
def test_what_is_written_later_is_read_later(here: Kubectl) -> None:
    slow = here(
        "run", "one", "--image=busybox", "--restart=Never", "--attach", "--", "sh", "-c", "echo a; sleep 1; echo b"
    )
    assert slow.stdout == "a\nb\n"


@shows("kubectl wait --for=condition=Ready", "kubectl wait --for=jsonpath", "kubectl wait --for=delete")
@shows("kubectl wait --for=create", "kubectl wait --timeout", "kubectl wait --all")
def test_wait(here: Kubectl) -> None:
    here("run", "web", "--image=nginx")
    ready = here("wait", "--for=condition=Ready", "pod/web", "--timeout=10s").stdout
    assert ready == "pod/web condition met\n"
    for what in ("jsonpath={.status.phase}=Running", "jsonpath={.status.podIP}", "create"):
        assert here("wait", f"--for={what}", "pod/web", "--timeout=10s").stdout == "pod/web condition met\n"
    late = here("wait", "--for=condition=Ready=false", "pod/web", "--timeout=1s", code=1).stderr
    assert late == "error: timed out waiting for the condition on pods/web\n"
    assert here("wait", "--for=condition=Ready", "pod", "--all").stdout == "pod/web condition met\n"
    missing = here("wait", "--for=condition=Ready", "pod/nope", code=1).stderr
    assert missing == 'Error from server (NotFound): pods "nope" not found\n'
    with soon(here, "delete", "pod", "web", "--now"):
        gone = here("wait", "--for=delete", "pod/web", "--timeout=10s").stdout
    assert gone == "pod/web condition met\n"
    with soon(here, "run", "late", "--image=nginx"):
        there = here("wait", "--for=create", "pod/late", "--timeout=10s").stdout
    assert there == "pod/late condition met\n"
