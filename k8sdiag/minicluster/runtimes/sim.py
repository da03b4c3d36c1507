"""The simulated runtime: containers as programs on the lab's work loop, without privileges, processes or a network.

It keeps the protocol of `base` as containerd does (ids, error texts, what an end looks like). What a container does is
read from its command, or from the behaviour that a pod's annotations give it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from random import Random

from k8sdiag.evidence import Json
from k8sdiag.minicluster.loop import Loop
from k8sdiag.minicluster.nodes.agent import Input, Output
from k8sdiag.minicluster.runtimes import commands, starting
from k8sdiag.minicluster.runtimes.acting import behaviour_of
from k8sdiag.minicluster.runtimes.base import (
    CREATE_FAILED,
    EXITED,
    PULL_FAILED,
    RUNNING,
    SANDBOX_FAILED,
    START_FAILED,
    ContainerSpec,
    ContainerState,
    Conversation,
    Failure,
    ImageInfo,
    NodeFacts,
    Sandbox,
    Volume,
)
from k8sdiag.minicluster.runtimes.behaviours import REGISTRY, described
from k8sdiag.minicluster.runtimes.images import BadTable, ImageStore, Table, default_table, read_overrides
from k8sdiag.minicluster.runtimes.machine.files import Files, Store
from k8sdiag.minicluster.runtimes.machine.machine import Machine, Process, World
from k8sdiag.minicluster.runtimes.machine.network import Addresses, Host, Network
from k8sdiag.minicluster.runtimes.machine.streams import LogWriter, Pipe
from k8sdiag.minicluster.runtimes.machine.threads import OutOfMemory, Timers
from k8sdiag.minicluster.runtimes.sim_state import (
    CREATE,
    DOWN,
    KILL,
    NODE_DISK,
    NODE_MEMORY,
    SANDBOX,
    START,
    Hardware,
    Held,
    Pod,
    Trouble,
    base_of,
    environment,
    hold,
    no_network,
    now_of,
    unmakable,
    with_own_files,
)
from k8sdiag.minicluster.runtimes.talking import converse


class SimRuntime:
    """One node's simulated runtime (a Runtime)."""

    def __init__(  # noqa: PLR0913 (a machine has so many parts)
        self,
        name: str,
        loop: Loop,
        random: Random,
        network: Network | None = None,
        address: str = "",
        *,
        images: Table | None = None,
        hardware: Hardware | None = None,
        claims: dict[str, Store] | None = None,
    ) -> None:
        self.name = name
        self.on_change: Callable[[str], None] = lambda _: None
        self.trouble = Trouble()
        self.hardware = hardware or Hardware()
        self.images = ImageStore(images or default_table())
        self.network = network if network is not None else Network()
        self.host = Host(address or "192.0.2.2", name=name)
        self.network.hosts.setdefault(self.host.address, self.host)
        self._timers = Timers(loop, f"sim-{name}")
        self._random = random
        self._now = now_of(self._timers)
        self._world = World(self._timers, random, self.network, commands.find, name)
        self._addresses = Addresses("10.244.0.0/24")
        self._pods: dict[str, Pod] = {}
        self._containers: dict[str, Held] = {}
        self._empty: dict[tuple[str, str], Store] = {}
        self._claims = claims if claims is not None else {}
        self._host_files: dict[str, Store] = {}

    # -- the node --

    @property
    def pod_cidr(self) -> str:
        """Where pods' addresses come from."""
        return self._addresses.range

    @pod_cidr.setter
    def pod_cidr(self, cidr: str) -> None:
        if cidr != self._addresses.range:
            self._addresses = Addresses(cidr)

    @property
    def node(self) -> NodeFacts:
        hardware, trouble = self.hardware, self.trouble
        machines = [
            one.machine for one in self._containers.values() if one.machine is not None and one.state == RUNNING
        ]
        disk = sum(one.machine.files.disk for one in self._containers.values() if one.machine is not None)
        disk += sum(store.used for store in (*self._empty.values(), *self._host_files.values()))
        pulled = sum(image.size for image in self.images.here)
        free = max(0, hardware.disk - NODE_DISK - disk - pulled - trouble.disk)
        memory = NODE_MEMORY + trouble.memory + sum(machine.memory for machine in machines)
        return NodeFacts(
            cpu=hardware.cpu, memory=f"{hardware.memory // 1024}Ki", disk=f"{hardware.disk // 1024}Ki",
            kernel="6.1.0-28-amd64", os_image="Debian GNU/Linux 12 (bookworm)", images=self.images.here,
            memory_available=max(0, hardware.memory - memory), disk_available=free,
            image_disk_available=max(0, free - trouble.images),
            inodes_available=max(0, hardware.inodes - 300_000 - trouble.inodes),
            processes=180 + 3 * len(machines) + trouble.processes,
            not_ready=trouble.runtime, network_not_ready=trouble.network,
        )  # fmt: skip

    # -- images --

    def image(self, name: str) -> ImageInfo | None:
        return self.images.find(name)

    def pull(self, name: str, credentials: Sequence[Json], done: Callable[[ImageInfo | Failure], None]) -> None:
        if self.trouble.runtime:
            self._later(0.0, lambda: done(Failure(PULL_FAILED, DOWN)))
            return
        answer, seconds = self.images.pull(name, credentials)
        self._later(seconds, lambda: done(answer))

    # -- sandboxes --

    def open_pod(self, pod: Json, attempt: int, done: Callable[[Sandbox | Failure], None]) -> None:  # noqa: ARG002
        meta, spec = pod["metadata"], pod.get("spec") or {}
        sandbox = self._id()
        if self.trouble.runtime:
            self._later(0.0, lambda: done(Failure(SANDBOX_FAILED, DOWN)))
            return
        if self.trouble.sandbox and not spec.get("hostNetwork"):
            text = f"{no_network(sandbox)}{self.trouble.sandbox}"
            self._later(SANDBOX, lambda: done(Failure(SANDBOX_FAILED, text)))
            return
        if spec.get("hostNetwork"):
            host, own = self.host, False
        else:
            address = self._addresses.take()
            if address is None:
                text = (
                    f'{no_network(sandbox)}plugin type="flannel" failed (add): failed to delegate add: failed to'
                    f" allocate for range 0: no IP addresses available in range set: {self._addresses.range}"
                )
                self._later(SANDBOX, lambda: done(Failure(SANDBOX_FAILED, text)))
                return
            name = str(spec.get("hostname") or meta["name"])
            host, own = Host(address, meta.get("namespace", ""), name, None, self._addresses.gateway), True
            self.network.hosts[address] = host
        self._learn(pod)
        one = Pod(sandbox, str(meta.get("uid", "")), host, own, started=self._timers.now)
        self._pods[sandbox] = one
        self._later(SANDBOX, lambda: done(Sandbox(sandbox, (host.address,))))

    def _learn(self, pod: Json) -> None:
        """What a pod's annotations say of images."""
        said = (pod["metadata"].get("annotations") or {}).get(REGISTRY)
        if said:
            with suppress(BadTable):  # it is said when a container of the pod is made
                self.images.trouble(read_overrides(str(said)))
        for image in described(pod):
            self.images.assume(image)

    def close_pod(self, sandbox: str, done: Callable[[], None]) -> None:
        pod = self._pods.get(sandbox)
        if pod is None:
            self._later(0.0, done)
            return
        for name in list(pod.containers):
            one = self._containers.pop(name, None)
            if one is not None:
                self._timers.cancel(one.killer)
                if one.machine is not None and one.state == RUNNING:
                    one.machine.end(137)
                if one.machine is not None:
                    one.machine.log.end()

        def gone() -> None:
            self._pods.pop(sandbox, None)
            address = pod.host.address
            if pod.own and self.network.hosts.get(address) is pod.host:
                del self.network.hosts[address]
                self._addresses.give_back(address)
            if not any(other.uid == pod.uid for other in self._pods.values()):
                for key in [key for key in self._empty if key[0] == pod.uid]:
                    del self._empty[key]
            done()

        self._later(KILL, gone)

    # -- containers --

    def create(self, sandbox: str, spec: ContainerSpec, done: Callable[[str | Failure], None]) -> None:
        pod = self._pods.get(sandbox)
        text = DOWN if self.trouble.runtime else self.trouble.create
        if pod is None and not text:
            text = f'failed to find sandbox id "{sandbox}": not found'
        image = self.images.image(spec.image.name)
        text = text or unmakable(spec, image)
        if text or pod is None:
            self._later(CREATE, lambda: done(Failure(CREATE_FAILED, text)))
            return
        name = self._id()
        self._forget_older(pod, spec.name)
        self._containers[name] = Held(name, pod, spec, image)
        pod.containers.append(name)
        self._later(CREATE, lambda: done(name))

    def _forget_older(self, pod: Pod, name: str) -> None:
        """Of a name the newest that has ended stays, with its log."""
        ended = [
            one for one in (self._containers[id_] for id_ in pod.containers)
            if one.spec.name == name and one.state == EXITED
        ]  # fmt: skip
        for one in sorted(ended, key=lambda one: one.finished or 0.0)[:-1]:
            del self._containers[one.id]
            pod.containers.remove(one.id)

    def start(self, container: str, done: Callable[[Failure | None], None]) -> None:
        one = self._containers.get(container)
        if one is None or self.trouble.runtime:
            text = DOWN if one is not None else f'container "{container}" in store: not found'
            self._later(0.0, lambda: done(Failure(START_FAILED, text)))
            return
        self._later(START, lambda: self._started(one, done))

    def _started(self, one: Held, done: Callable[[Failure | None], None]) -> None:
        if one.id not in self._containers:
            done(Failure(START_FAILED, f'container "{one.id}" in store: not found'))
            return
        machine = self._machine(one)
        program = behaviour_of(one.spec)
        words = commands.words_of(one.spec, one.image)
        env = environment(one.spec, one.image, machine.host.name)
        folder = one.spec.working_dir or one.image.workdir or "/"
        wrong = starting.refused(one.spec, machine.files, folder)
        if not wrong and program is None:
            wrong = commands.refusal(words, machine.files, env, folder)
        if wrong:
            self._refused(one, wrong, done)
            return
        machine.env = env
        one.machine, one.state, one.started = machine, RUNNING, self._timers.now
        if program is None:
            found = commands.find(
                machine, words[0] if words[0].startswith("/") or "/" not in words[0] else f"{folder}/{words[0]}", env
            )
            program = starting.nothing if isinstance(found, str) else found
        stdout = machine.stdout = LogWriter(machine.log, self._timers, 1)
        stderr = machine.stderr = stdout if one.spec.tty else LogWriter(machine.log, self._timers, 2)
        machine.stdin = Pipe() if one.spec.stdin else None
        process = Process(machine, words, env, folder, stdout, stderr, machine.stdin, tty=one.spec.tty)
        done(None)
        if one.state == RUNNING and not machine.killed:
            try:
                machine.check()
            except OutOfMemory:
                return
            machine.begin(program, process)

    def _refused(self, one: Held, wrong: str, done: Callable[[Failure | None], None]) -> None:
        text = wrong
        if not wrong.startswith("failed to"):
            text = (
                "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create"
                f" failed: unable to start container process: {wrong}: unknown"
            )
        one.state, one.code, one.reason, one.message = EXITED, 128, "StartError", text
        one.started, one.finished = 0.0, self._timers.now
        done(Failure(START_FAILED, text))

    def _machine(self, one: Held) -> Machine:
        spec, image = one.spec, one.image
        base = partial(with_own_files, base_of(image), one.pod.host)
        files = Files(spec.mounts, partial(self._store, one.pod.uid), base, self._now)
        hold(files, spec, image)
        return Machine(self._world, spec, image, files, one.pod.host, partial(self._ended, one))

    def _store(self, uid: str, volume: Volume) -> Store:
        if volume.kind == "claim":
            return self._claims.setdefault(volume.path, Store())
        if volume.kind == "host":
            return self._host_files.setdefault(volume.path, Store())
        key = (uid, volume.name)
        store = self._empty.get(key)
        if store is None:
            store = self._empty[key] = Store()
        return store

    def _ended(self, one: Held, code: int, reason: str) -> None:
        if one.state != RUNNING:
            return
        one.state, one.code, one.finished = EXITED, code, self._timers.now
        one.reason = reason
        one.message = starting.last_words(one.spec, one.machine, code)
        self._timers.cancel(one.killer)
        if one.machine is not None:
            one.machine.log.end()
        if one.id in self._containers:
            self.on_change(one.pod.uid)

    def change(self, container: str, spec: ContainerSpec) -> None:
        one = self._containers.get(container)
        if one is None:
            return
        one.spec = spec
        if one.machine is not None and one.state == RUNNING:
            one.machine.spec = spec
            one.machine.files.remount(spec.mounts)
            try:
                one.machine.check()
            except OutOfMemory:
                return

    def stop(self, container: str, grace: float) -> None:
        one = self._containers.get(container)
        if one is None or one.machine is None or one.state != RUNNING or self.trouble.runtime:
            return
        machine = one.machine
        end = self._timers.now + max(0.0, grace)
        if one.kill_at is None:
            one.kill_at = end
            if grace > 0:
                self._later(0.0, lambda: machine.signal("TERM"))
        elif end >= one.kill_at:
            return
        else:
            one.kill_at = end
            self._timers.cancel(one.killer)
        one.killer = self._later(max(0.0, grace) + KILL, lambda: machine.signal("KILL"))

    def inspect(self, container: str) -> ContainerState | None:
        pod = self._pods.get(container)
        if pod is not None:
            return ContainerState(RUNNING, pod.started)
        one = self._containers.get(container)
        if one is None:
            return None
        machine = one.machine
        if machine is None:
            return ContainerState(one.state, one.started, one.finished, one.code, one.reason, one.message)
        volumes = {
            mount.volume.name: self._store(one.pod.uid, mount.volume).used
            for mount in one.spec.mounts if mount.volume.kind == "empty"
        }  # fmt: skip
        running = one.state == RUNNING
        pools = machine.volatile or {}
        disk = machine.files.disk + pools.get("disk", 0)
        return ContainerState(
            one.state, one.started, one.finished, one.code, one.reason, one.message,
            machine.cores if running else 0.0, machine.memory if running else 0, disk, volumes,
        )  # fmt: skip

    def converse(self, what: Conversation, output: Output) -> Input:
        return converse(self, what, output)

    # -- for conversations --

    def machine_of(self, container: str) -> Machine | None:
        """The inside of a container that runs or has run."""
        one = self._containers.get(container)
        return one.machine if one is not None else None

    def host_of(self, sandbox: str) -> Host | None:
        pod = self._pods.get(sandbox)
        return pod.host if pod is not None else None

    @property
    def world(self) -> World:
        return self._world

    def _id(self) -> str:
        return f"{self._random.getrandbits(256):064x}"

    def _later(self, seconds: float, call: Callable[[], None]) -> int:
        return self._timers.later(seconds, call)
