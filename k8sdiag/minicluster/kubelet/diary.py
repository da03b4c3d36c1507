"""What a kubelet writes into its journal, word for word (Kubernetes 1.33 at its usual verbosity, 2; each line names the
source file that writes it)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.containers import INIT, MAIN, Record, called, newest
from k8sdiag.minicluster.kubelet.go_text import container_text
from k8sdiag.minicluster.kubelet.journal import Journal, Unwritten, quoted, value
from k8sdiag.minicluster.kubelet.restart import duration
from k8sdiag.minicluster.kubelet.runtime_diary import RuntimeDiary, remote

if TYPE_CHECKING:
    from k8sdiag.minicluster.kubelet.pod_worker import PodWorker

_NO_SANDBOX = "sandbox for pod can be found. Need to start a new one"
_NEVER = "0001-01-01 00:00:00 +0000 UTC"


class Diary:
    """The lines of one node's kubelet. Of pods that start by the hundred, only what is wrong is told."""

    __slots__ = ("_begun", "_journal", "_node", "_untold", "runtime")

    def __init__(self, journal: Journal, node: str, now: float) -> None:
        self._journal, self._node, self._begun = journal, node, now
        self.runtime = RuntimeDiary(journal)
        self._untold = RuntimeDiary(Unwritten())

    def containerd(self, worker: PodWorker) -> RuntimeDiary:
        """What containerd says while it works for a pod."""
        return self._untold if worker.quiet else self.runtime

    # ---- the sync loop (pkg/kubelet/kubelet.go)

    def pod(self, worker: PodWorker, verb: str) -> None:
        """The API server says that a pod is to be here (ADD), to go (DELETE), or is gone (REMOVE)."""
        if not worker.quiet:
            where = {"ADD": 2537, "DELETE": 2553, "REMOVE": 2547}[verb]
            text = f'"SyncLoop {verb}" source="api" pods=["{_name(worker.pod)}"]'
            self._journal.klog("I", f"kubelet.go:{where}", text)

    def probe_changed(self, worker: PodWorker, kind: str, status: str) -> None:
        if not worker.quiet:
            text = f'"SyncLoop (probe)" probe="{kind}" status="{status}" pod="{_name(worker.pod)}"'
            self._journal.klog("I", "kubelet.go:2658", text)

    def listed(self, worker: PodWorker) -> None:
        """The containers of a pod are listed: what is new since the last time (pkg/kubelet/pleg/generic.go)."""
        if worker.quiet:
            return
        inspect, told = worker.kubelet.runtime.inspect, worker.told
        died: list[tuple[str, int | None]] = []
        started: list[str] = []
        sandbox = worker.sandbox.id if worker.sandbox is not None else ""
        now_there = [run.id for runs in worker.runs.values() for run in runs]
        for identity in dict.fromkeys([*now_there, *([sandbox] if sandbox else []), *told]):
            found = inspect(identity)
            state = found.state if found is not None else "exited"
            if state == "created" or state == told.get(identity):
                continue
            told[identity] = state
            if state == "running":
                started.append(identity)
            else:
                container = found is not None and identity in now_there
                died.append((identity, found.exit_code if found is not None and container else None))
        uid = worker.uid
        for identity, code in died:
            if code is not None:
                text = f'"Generic (PLEG): container finished" podID="{uid}" containerID="{identity}" exitCode={code}'
                self._journal.klog("I", "generic.go:358", text)
        changes = [("ContainerDied", one) for one, _ in died] + [("ContainerStarted", one) for one in started]
        for kind, identity in changes:
            event = orjson.dumps({"ID": uid, "Type": kind, "Data": identity}).decode()
            text = f'"SyncLoop (PLEG): event for pod" pod="{_name(worker.pod)}" event={event}'
            self._journal.klog("I", "kubelet.go:2569", text)
        self._forget(told, now_there)

    @staticmethod
    def _forget(told: dict[str, str], there: list[str]) -> None:
        """Drop what is known of containers that are gone, so that a crash loop does not fill memory."""
        for key in [key for key in told if key != "observed" and key.rpartition(" ")[2] not in there]:
            if told[key] == "exited":
                del told[key]

    def sync_failed(self, worker: PodWorker, why: str) -> None:
        """A sync has ended with an error (pkg/kubelet/pod_workers.go)."""
        text = f'"Error syncing pod, skipping" err={value(why)} pod="{_name(worker.pod)}" podUID="{worker.uid}"'
        self._journal.klog("E", "pod_workers.go:1301", text)

    def not_started(self, worker: PodWorker, names: list[str]) -> None:
        """A sync could not start these containers."""
        told = []
        for name in names:
            reason, message = worker.reasons.get(name, ("", ""))
            told.append(f'failed to "StartContainer" for "{name}" with {reason}: {quoted(message)}')
        self.sync_failed(worker, told[0] if len(told) == 1 else f"[{', '.join(told)}]")

    def observed(self, worker: PodWorker) -> None:
        """All containers run: how long that took (pkg/kubelet/util/pod_startup_latency_tracker.go)."""
        listed = worker.status.get("containerStatuses") or ()
        if worker.quiet or "observed" in worker.told or worker.stage != "sync" or not listed:
            return
        if worker.status.get("phase") != "Running" or not all("running" in one["state"] for one in listed):
            return
        worker.told["observed"] = "exited"
        now = worker.kubelet.clock.now()
        made = parse_time(worker.pod["metadata"]["creationTimestamp"]) or now
        took, when = f"{max(0.0, now - made):.9f}", self._go_time(now)
        created = f"{datetime.fromtimestamp(made, UTC):%Y-%m-%d %H:%M:%S} +0000 UTC"
        text = (
            f'"Observed pod startup duration" pod="{_name(worker.pod)}" podStartSLOduration={took}'
            f' podStartE2EDuration="{took}s" podCreationTimestamp="{created}"'
            f' firstStartedPulling="{_NEVER}" lastFinishedPulling="{_NEVER}" observedRunningTime="{when}"'
            f' watchObservedRunningTime="{when}"'
        )
        self._journal.klog("I", "pod_startup_latency_tracker.go:104", text)

    def _go_time(self, moment: float) -> str:
        told = datetime.fromtimestamp(moment, UTC)
        return f"{told:%Y-%m-%d %H:%M:%S.%f}000 +0000 UTC m=+{moment - self._begun:.9f}"

    # ---- sandbox and containers (pkg/kubelet/kuberuntime)

    def needs_sandbox(self, worker: PodWorker) -> None:
        """Whether a pod has a sandbox is looked at (kuberuntime/util/util.go)."""
        if worker.quiet or (worker.sandbox is not None and not worker.over):
            return
        first = not worker.attempt
        lead, where = ("No", "util.go:30") if first else ("No ready", "util.go:48")
        self._journal.klog("I", where, f'"{lead} {_NO_SANDBOX}" pod="{_name(worker.pod)}"')

    def no_sandbox(self, worker: PodWorker, why: str) -> None:
        self.runtime.not_opened(worker.pod, worker.attempt, why)
        name, about = f'pod="{_name(worker.pod)}"', called(worker.pod)
        err = value(remote(why))
        self._journal.klog("E", "log.go:32", f'"RunPodSandbox from runtime service failed" err={err}')
        lines = (
            ("kuberuntime_sandbox.go:70", "Failed to create sandbox for pod"),
            ("kuberuntime_manager.go:1252", "CreatePodSandbox for pod failed"),
        )
        for where, text in lines:
            self._journal.klog("E", where, f'"{text}" err={err} {name}')
        inner = f'Failed to create sandbox for pod "{about}": {remote(why)}'
        text = f'failed to "CreatePodSandbox" for "{about}" with CreatePodSandboxError: {quoted(inner)}'
        self.sync_failed(worker, text)

    def dead_containers(self, worker: PodWorker) -> None:
        """What a container that does not run holds of the node is let go (topologymanager/scope.go)."""
        for container in worker.pod["spec"][MAIN]:
            run = newest(worker.runs, container["name"])
            if run is not None and not run.running:
                self._journal.klog("I", "scope.go:117", f'"RemoveContainer" containerID="{run.id}"')

    def pull_failed(self, image: str, why: str) -> None:
        self.runtime.not_pulled(image, why.partition(" desc = ")[2] or why)
        tail = f'image="{image}"'
        self._journal.klog("E", "log.go:32", f'"PullImage from image service failed" err={value(remote(why))} {tail}')
        self._journal.klog("E", "kuberuntime_image.go:42", f'"Failed to pull image" err={value(why)} {tail}')

    def start_failed(self, worker: PodWorker, group: str, container: Json, reason: str, message: str) -> None:
        """A container could not be started, for another reason than a back-off."""
        kind = {INIT: "init container", MAIN: "container"}.get(group, "ephemeral container")
        text = f"{kind} {container_text(container)} start failed in pod {called(worker.pod)}: {reason}: {message}"
        told = f'"Unhandled Error" err={value(text)} logger="UnhandledError"'
        self._journal.klog("E", "kuberuntime_manager.go:1358", told)

    def not_run(self, worker: PodWorker, identity: str, why: str) -> None:
        if f"shim {identity}" not in worker.told:
            worker.told[f"shim {identity}"] = "exited"
            self.runtime.ended(identity)
        self.runtime.not_started(identity, remote(why).partition(" desc = ")[2])
        told = f'"StartContainer from runtime service failed" err={value(remote(why))} containerID="{identity}"'
        self._journal.klog("E", "log.go:32", told)

    def not_created(self, sandbox: str, name: str, attempt: int, why: str) -> None:
        self.runtime.not_created(sandbox, name, attempt, remote(why).partition(" desc = ")[2])
        told = f'"CreateContainer in sandbox from runtime service failed" err={value(remote(why))}'
        self._journal.klog("E", "log.go:32", f'{told} podSandboxID="{sandbox}"')

    def killing(self, worker: PodWorker, run: Record, message: str, grace: float) -> None:
        name = f'pod="{_name(worker.pod)}"'
        if message:
            identity = orjson.dumps({"Type": run.runtime, "ID": run.id}).decode()
            text = f'containerName="{run.name}" containerStatusID={identity} {name} containerMessage={value(message)}'
            self._journal.klog("I", "kuberuntime_manager.go:1107", f'"Message for Container of pod" {text}')
        text = f'{name} podUID="{worker.uid}" containerName="{run.name}" containerID="{run.shown}"'
        told = f'"Killing container with a grace period" {text} gracePeriod={int(grace)}'
        self._journal.klog("I", "kuberuntime_container.go:864", told)
        self.runtime.stopping(run.id, grace)
        worker.told[f"stop {run.id}"] = "exited"

    def ended(self, worker: PodWorker) -> None:
        """The runtime says that something changed: containers that have ended since lose their shim."""
        if worker.quiet:
            return
        for runs in worker.runs.values():
            run, mark = runs[-1], f"shim {runs[-1].id}"
            if mark in worker.told:
                continue
            found = worker.kubelet.runtime.inspect(run.id)
            if found is None or found.state != "exited" or found.started_at is None:
                continue
            worker.told[mark] = "exited"
            stopped = f"stop {run.id}" in worker.told
            if stopped and found.exit_code == 137:
                self.runtime.killing(run.id)
            self.runtime.ended(run.id)
            if stopped:
                self.runtime.stopped(run.id)

    # ---- probes (pkg/kubelet/prober/prober.go)

    def probe_failed(self, pod: Json, container: str, kind: str, output: str, errored: bool) -> None:
        about = f'probeType="{kind}" pod="{_name(pod)}" podUID="{pod["metadata"]["uid"]}" containerName="{container}"'
        if errored:
            told = f'"Probe errored" err={value(output)} {about} probeResult="unknown"'
            self._journal.klog("E", "prober.go:104", told)
            return
        told = f'"Probe failed" {about} probeResult="failure" output={value(output)}'
        self._journal.klog("I", "prober.go:120", told)

    # ---- evictions (pkg/kubelet/eviction/eviction_manager.go)

    def evicted(self, worker: PodWorker) -> None:
        name = _name(worker.pod)
        told = f'"Eviction manager: pod is evicted successfully" pod="{name}"'
        self._journal.klog("I", "eviction_manager.go:629", told)
        told = f'"Eviction manager: pods evicted, waiting for pod to be cleaned up" pods=["{name}"]'
        self._journal.klog("I", "eviction_manager.go:208", told)

    # ---- volumes (pkg/kubelet/volumemanager/reconciler, pkg/volume/util/operationexecutor)

    def mounting(self, worker: PodWorker, volumes: list[Json]) -> None:
        if not worker.quiet:
            for verb, where in (("VerifyControllerAttachedVolume", 251), ("MountVolume", 224)):
                for volume in volumes:
                    text = f"operationExecutor.{verb} started for volume {_about(worker, volume)} "
                    told = f'{quoted(text)} pod="{_name(worker.pod)}"'
                    self._journal.klog("I", f"reconciler_common.go:{where}", told)

    def mounted(self, worker: PodWorker, volume: Json) -> None:
        if not worker.quiet:
            text = f"MountVolume.SetUp succeeded for volume {_about(worker, volume)} "
            self._journal.klog("I", "operation_generator.go:615", f'{quoted(text)} pod="{_name(worker.pod)}"')

    def mount_failed(self, worker: PodWorker, volume: Json, why: str, wait: float, again: float) -> None:
        lead, _, error = why.partition(" : ")
        space = worker.pod["metadata"]["namespace"]
        for kind, source, word in (
            ("configMap", "configmap.go:193", "configMap"),
            ("secret", "secret.go:189", "secret"),
        ):
            if kind in volume:
                name = volume[kind].get("name" if kind == "configMap" else "secretName")
                self._journal.klog("E", source, f"Couldn't get {word} {space}/{name}: {error}")
        place = f"{{volumeName:{_unique(worker.uid, volume)} podName:{worker.uid} nodeName:}}"
        verb = lead.partition(" failed for volume ")[0]
        told = (
            f"Operation for {quoted(place)} failed. No retries permitted until {self._go_time(again)}"
            f" (durationBeforeRetry {duration(wait)}). Error: {verb} failed for volume {_about(worker, volume)} :"
            f" {error}"
        )
        self._journal.klog("E", "nestedpendingoperations.go:348", told)

    def no_volumes(self, worker: PodWorker, why: str) -> None:
        told = f'"Unable to attach or mount volumes for pod; skipping pod" err={value(why)} pod="{_name(worker.pod)}"'
        self._journal.klog("E", "kubelet.go:2001", told)
        self.sync_failed(worker, why)

    def unmounted(self, worker: PodWorker) -> None:
        """All volumes of a pod that is over are let go."""
        volumes: list[Json] = worker.pod["spec"].get("volumes") or []
        if worker.quiet or not worker.mounted:
            return
        uid = worker.uid
        for one in volumes:
            about = f'"{one["name"]}" (UniqueName: "{_unique(uid, one)}") pod "{uid}" (UID: "{uid}") '
            told = quoted(f"operationExecutor.UnmountVolume started for volume {about}")
            self._journal.klog("I", "reconciler_common.go:162", told)
        for one in volumes:
            unique = _unique(uid, one)
            told = (
                f'UnmountVolume.TearDown succeeded for volume "{unique}" (OuterVolumeSpecName: "{one["name"]}") pod'
                f' "{uid}" (UID: "{uid}"). InnerVolumeSpecName "{one["name"]}". PluginName'
                f' "{unique.rpartition("/")[0]}", VolumeGIDValue ""'
            )
            self._journal.klog("I", "operation_generator.go:781", told)
        for one in volumes:
            about = f'"{one["name"]}" (UniqueName: "{_unique(uid, one)}") on node "{self._node}" DevicePath ""'
            self._journal.klog("I", "reconciler_common.go:299", quoted(f"Volume detached for volume {about}"))


_PLUGINS = {
    "projected": "projected",
    "configMap": "configmap",
    "secret": "secret",
    "downwardAPI": "downward-api",
    "emptyDir": "empty-dir",
    "hostPath": "host-path",
    "nfs": "nfs",
    "csi": "csi",
}


def _name(pod: Json) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _unique(uid: str, volume: Json) -> str:
    plugin = next((word for kind, word in _PLUGINS.items() if kind in volume), "csi")
    return f"kubernetes.io/{plugin}/{uid}-{volume['name']}"


def _about(worker: PodWorker, volume: Json) -> str:
    unique, name = _unique(worker.uid, volume), worker.pod["metadata"]["name"]
    return f'"{volume["name"]}" (UniqueName: "{unique}") pod "{name}" (UID: "{worker.uid}")'
