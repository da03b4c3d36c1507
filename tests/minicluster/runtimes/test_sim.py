"""The simulated runtime keeps the protocol: sandboxes, starts that fail, ends, exec, logs, connections, figures."""

from __future__ import annotations

import gc
import io
import tarfile
import tracemalloc

import pytest

from k8sdiag.minicluster.nodes.agent import Command, LogOptions
from k8sdiag.minicluster.runtimes.base import Attach, Connect, ContainerSpec, Failure, ImageInfo, Limits, Logs, Sandbox
from tests.minicluster.runtimes.rig import START, Heard, Rig, empty, files

RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable"
    " to start container process: "
)


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        (["/app/server", "--port=80"], 'exec: "/app/server": stat /app/server: no such file or directory'),
        (["serve"], 'exec: "serve": executable file not found in $PATH'),
        (["/etc/passwd"], 'exec: "/etc/passwd": permission denied'),
        (["/etc"], 'exec: "/etc": is a directory'),
        (["sleep 10"], 'exec: "sleep 10": executable file not found in $PATH'),
    ],
)
def test_a_command_that_is_not_there_cannot_start(command: list[str], cause: str) -> None:
    rig = Rig().run(*command)
    text = f"{RUNC}{cause}: unknown"
    assert rig.failure == Failure("RunContainerError", text)
    state = rig.state
    assert (state.state, state.exit_code, state.reason, state.message, state.started_at) == (
        "exited",
        128,
        "StartError",
        text,
        0.0,
    )


def test_a_script_from_a_config_map_needs_to_be_executable_and_to_say_who_reads_it() -> None:
    assert "permission denied" in str(Rig().run("/s/run.sh", mounts=[files("/s", run_sh="#!/bin/sh\necho hi")]).failure)
    made = Rig().run("sh", "-c", "printf 'echo hi' > /x; chmod +x /x; exec /x", seconds=1)
    assert (made.lines, made.end) == (["exec /x: exec format error"], (255, "Error"))


def test_a_working_folder_is_made() -> None:
    rig = Rig().run("sh", "-c", "pwd; echo x > here && ls", working_dir="/srv/app", seconds=1)
    assert rig.lines == ["/srv/app", "here"]
    wrong = Rig().run("true", working_dir="/etc/passwd")
    assert wrong.failure is not None
    assert wrong.failure.message.endswith("mkdir /etc/passwd: not a directory: unknown")


def test_too_little_memory_to_start() -> None:
    rig = Rig().run("sleep", "1", limits=Limits(memory=100))
    assert rig.failure is not None
    assert rig.failure.message.endswith("container init was OOM-killed (memory limit too low?): unknown")


def test_changes_that_nobody_asked_for_are_told() -> None:
    rig = Rig().shell("sleep 5; exit 4", seconds=4)
    assert rig.changes == []
    rig.loop.run_for(2)
    assert (rig.changes, rig.end) == (["uid-web"], (4, "Error"))


@pytest.mark.parametrize(
    ("image", "security", "line", "code"),
    [
        (
            "nginx",
            {"readOnlyRootFilesystem": True},
            'mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)',
            1,
        ),
        ("nginx", {"runAsUser": 101}, 'mkdir() "/var/cache/nginx/client_temp" failed (13: Permission denied)', 1),
        ("postgres:16", {}, "Error: Database is uninitialized and superuser password is not specified.", 1),
        ("mysql:8", {}, "[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified", 1),
    ],
)
def test_servers_say_why_they_do_not_start(image: str, security: dict[str, object], line: str, code: int) -> None:
    rig = Rig().run(image=image, security=security, seconds=3)
    assert any(line in one for one in rig.lines)
    assert rig.end == (code, "Error")


@pytest.mark.parametrize(
    ("image", "port", "env"),
    [
        ("nginx", 80, {}),
        ("redis:7", 6379, {}),
        ("httpd:2.4", 80, {}),
        ("postgres:16", 5432, {"POSTGRES_PASSWORD": "x"}),
    ],
)
def test_servers_listen_and_obey(image: str, port: int, env: dict[str, str]) -> None:
    rig = Rig().run(image=image, env=env, seconds=5)
    assert rig.sandbox is not None
    assert rig.talk(Connect(rig.sandbox.id, port)).over is None
    rig.stop(30)
    assert rig.end == (0, "Completed")


def test_a_server_below_a_busybox_shell_is_not_told_to_stop() -> None:
    direct = Rig().shell("nginx -g 'daemon off;'; echo over", image="nginx:alpine", seconds=2)
    direct.stop(2)
    assert direct.end == (137, "Error")


def test_nginx_without_daemon_off_is_over_at_once() -> None:
    assert Rig().run("nginx", image="nginx", seconds=2).end == (0, "Completed")


def test_nobody_listens_and_nobody_is_there() -> None:
    rig = Rig().run("sleep", "infinity")
    assert rig.get("/", 8080).over == (1, "connection refused")
    assert rig.talk(Connect("no-such-sandbox", 80)).over == (1, "no route to host")
    nginx = Rig().run(image="nginx", seconds=2)
    assert nginx.get("/", 80, tls=True).over == (1, "http: server gave HTTP response to HTTPS client")


def test_pods_reach_each_other_by_address_and_service() -> None:
    rig = Rig().run(image="nginx", name="web", seconds=2)
    assert rig.sandbox is not None
    address = rig.sandbox.addresses[0]
    rig.runtime.network.names = lambda namespace, name: ["10.96.7.7"] if (namespace, name) == ("shop", "web") else []
    rig.runtime.network.route = lambda where, port: (address, 80) if (where, port) == ("10.96.7.7", 8000) else None
    rig.run("sleep", "infinity", name="client")
    assert b"Welcome to nginx!" in rig.exec("wget", "-qO-", "http://web:8000/").data
    assert b"Welcome to nginx!" in rig.exec("wget", "-qO-", "http://web:8000/index.html").data
    assert rig.exec("wget", "-qO-", f"http://{address}/nope").over == (1, "")
    assert b"Connection refused" in rig.exec("sh", "-c", f"nc {address} 81 2>&1").data
    assert rig.exec("wget", "-T", "2", "-qO-", "http://10.1.2.3/", seconds=3).errors == b"wget: download timed out\n"


def test_exec_answers_from_the_containers_state() -> None:
    rig = Rig().run("sleep", "infinity", env={"MODE": "dev"}, mounts=[files("/etc/app", app_conf="a=1\n")])
    assert rig.exec("cat", "/etc/app/app.conf").data == b"a=1\n"
    assert b"MODE=dev\n" in rig.exec("env").data
    assert b"sleep infinity" in rig.exec("ps").data
    assert rig.exec("ls", "/etc/app").data == b"app.conf\n"
    assert rig.exec("sh", "-c", "exit 7").over == (7, "")
    assert rig.exec("hostname").data == b"web\n"
    code, message = rig.exec("bash").over or (0, "")
    assert code == 126
    assert message.endswith('exec: "bash": executable file not found in $PATH: unknown')


def test_a_terminal_takes_lines() -> None:
    rig = Rig().run("sleep", "infinity")
    heard = rig.exec("sh", stdin=b"cd /tmp\rpwd\rexit 3\r", tty=True)
    assert (heard.data.count(b"# /tmp\r\n"), heard.over) == (1, (3, ""))


def test_files_are_copied_in_and_out_by_tar() -> None:
    rig = Rig().run("sleep", "infinity")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("notes.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    assert rig.exec("tar", "-xmf", "-", "-C", "/tmp", stdin=packed.getvalue()).over == (0, "")
    assert rig.exec("cat", "/tmp/notes.txt").data == b"hello"
    back = rig.exec("tar", "cf", "-", "/tmp/notes.txt")
    with tarfile.open(fileobj=io.BytesIO(back.data)) as archive:
        stream = archive.extractfile("tmp/notes.txt")
        assert stream is not None
        assert stream.read() == b"hello"
    assert rig.exec("tar", "cf", "-", "/nope").over == (1, "")


def test_logs_are_followed_and_attached_to() -> None:
    rig = Rig().shell("while true; do echo tick; echo tock >&2; sleep 10; done", seconds=5)
    follow, attached = Heard(), Heard()
    rig.runtime.converse(Logs(rig.container, LogOptions(follow=True, timestamps=True, tail=1)), follow)
    rig.runtime.converse(Attach(rig.container, Command(())), attached)
    rig.loop.run_for(10)
    rig.stop(0)
    assert [line.split(b" ")[1] for line in follow.data.splitlines()] == [b"tock", b"tick", b"tock"]
    assert (attached.data, attached.errors) == (b"tick\n", b"tock\n")
    assert follow.over == attached.over == (0, "")


def test_the_last_ended_container_keeps_its_log_and_older_ones_are_forgotten() -> None:
    rig = Rig()
    made = []
    for attempt in range(3):
        rig.shell(f"echo run {attempt}; exit 1", attempt=attempt, sandbox=rig.sandbox)
        made.append(rig.container)
    assert [rig.runtime.inspect(one) is None for one in made] == [True, False, False]


def test_an_emptied_pod_is_forgotten_with_its_volumes() -> None:
    rig = Rig().shell("echo x > /cache/a; sleep 100", mounts=[empty("/cache")])
    assert rig.sandbox is not None
    closed: list[bool] = []
    rig.runtime.close_pod(rig.sandbox.id, lambda: closed.append(True))
    rig.loop.run_for(1)
    assert closed == [True]
    assert rig.runtime.inspect(rig.container) is None
    assert Rig().runtime.node.memory_available == rig.runtime.node.memory_available
    again = rig.shell("cat /cache/a", mounts=[empty("/cache")])
    assert again.end == (1, "Error")


def test_containers_of_a_pod_share_its_volumes_and_ports() -> None:
    rig = Rig().shell("echo x > /cache/a; sleep 100", mounts=[empty("/cache")])
    other = rig.run("cat", "/cache/a", mounts=[empty("/cache")], sandbox=rig.sandbox, seconds=1)
    assert other.lines == ["x"]


def test_a_sandbox_without_a_network_fails_in_containerds_words() -> None:
    rig = Rig()
    rig.runtime.trouble.sandbox = (
        'plugin type="flannel" failed (add): loadFlannelSubnetEnv failed: open /run/flannel/subnet.env'
    )
    found: list[Sandbox | Failure] = []
    pod = {"metadata": {"name": "web", "namespace": "shop", "uid": "1"}, "spec": {}}
    rig.runtime.open_pod(pod, 0, found.append)
    rig.runtime.open_pod({**pod, "spec": {"hostNetwork": True}}, 0, found.append)
    rig.loop.run_for(1)
    assert isinstance(found[0], Failure)
    assert found[0].message.startswith('rpc error: code = Unknown desc = failed to setup network for sandbox "')
    assert isinstance(found[1], Sandbox)
    assert found[1].addresses == (rig.runtime.host.address,)


def test_addresses_run_out_and_are_given_back() -> None:
    rig = Rig()
    rig.runtime.pod_cidr = "10.9.0.0/29"
    opened = [rig.open(f"p{index}") for index in range(5)]
    assert [one.addresses[0] for one in opened] == [f"10.9.0.{index}" for index in range(2, 7)]
    with pytest.raises(AssertionError, match="no IP addresses available in range set"):
        rig.open("one-more")
    rig.runtime.close_pod(opened[2].id, lambda: None)
    rig.loop.run_for(1)
    assert rig.open("again").addresses == opened[2].addresses


def test_two_runs_are_the_same_to_the_byte() -> None:
    def run() -> list[object]:
        rig = Rig().shell("echo $RANDOM; date; sleep 3; exit 2", seconds=10)
        return [rig.container, rig.sandbox, rig.lines, rig.state]

    assert run() == run()


@pytest.mark.parametrize(
    ("command", "image", "most"),
    [
        (["sleep", "infinity"], "busybox:1.36", 4096),
        ([], "registry.k8s.io/pause:3.10", 4096),
        (["sh", "-c", "sleep 3600"], "busybox:1.36", 5120),
        (["python3", "-m", "http.server", "8080"], "python:3.11-slim", 5120),
    ],
)
def test_an_idle_container_costs_little_memory_and_no_work(command: list[str], image: str, most: int) -> None:
    rig = Rig()
    rig.runtime.pod_cidr = "10.0.0.0/16"
    info = rig.pull(image)
    assert isinstance(info, ImageInfo)
    count = 500
    pods = [{"metadata": {"name": f"p{n}", "namespace": "shop", "uid": f"u{n}"}, "spec": {}} for n in range(count)]
    specs = [ContainerSpec("shop", f"p{n}", f"u{n}", "app", info, command=tuple(command)) for n in range(count)]
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        opened: list[str] = []
        made: list[str] = []
        for pod in pods:
            rig.runtime.open_pod(pod, 0, lambda found: opened.append(getattr(found, "id", "")))
        rig.loop.run_for(1)
        for sandbox, spec in zip(opened, specs, strict=True):
            rig.runtime.create(sandbox, spec, lambda found: made.append(str(found)))
        rig.loop.run_for(1)
        for one in made:
            rig.runtime.start(one, lambda _: None)
        rig.loop.run_for(1)
        gc.collect()
        assert (tracemalloc.get_traced_memory()[0] - before) / count < most
    finally:
        tracemalloc.stop()
    upcoming = rig.loop.next_at()
    assert upcoming is None or upcoming >= START + 3600
