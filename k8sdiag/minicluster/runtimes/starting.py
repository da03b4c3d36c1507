"""What containerd and runc say of a container that they cannot make or start, and what an ended one leaves behind."""

from __future__ import annotations

from k8sdiag.minicluster.runtimes.base import ContainerSpec
from k8sdiag.minicluster.runtimes.machine.files import FileFault, Files
from k8sdiag.minicluster.runtimes.machine.machine import Machine, Process
from k8sdiag.minicluster.runtimes.machine.threads import Steps

_LEAST_MEMORY = 512 * 1024  # runc's own first process needs about as much
_LONGEST_MESSAGE, _LONGEST_TAIL, _TAIL_LINES = 4096, 2048, 80


def bad_profile(spec: ContainerSpec) -> str:
    """Why a container cannot be made; ''."""
    profile = spec.security.get("seccompProfile")
    if isinstance(profile, dict) and profile.get("type") == "Localhost" and profile.get("localhostProfile"):
        path = f"/var/lib/kubelet/seccomp/{profile['localhostProfile']}"
        return f'cannot load seccomp profile "{path}": open {path}: no such file or directory'
    armour = spec.security.get("appArmorProfile")
    if isinstance(armour, dict) and armour.get("type") == "Localhost":
        return f"apparmor profile not found {armour.get('localhostProfile', '')}"
    return ""


def refused(spec: ContainerSpec, files: Files, folder: str) -> str:
    """Why runc cannot start the first process, whatever it is; ''."""
    limit = spec.limits.memory
    if limit is not None and limit < _LEAST_MEMORY:
        return "container init was OOM-killed (memory limit too low?)"
    entry = files.find(folder)
    if entry is not None and not entry.folder:
        return f"mkdir {folder}: not a directory"
    for mount in spec.mounts:
        if mount.sub_path and mount.volume.kind == "files" and files.find(mount.path) is None:
            place = f"/var/lib/kubelet/pods/{spec.uid}/volume-subpaths/{mount.volume.name}/{spec.name}/0"
            return (
                f'error mounting "{place}" to rootfs at "{mount.path}": mount {place}:{mount.path}'
                " (via /proc/self/fd/6), flags: 0x5001: not a directory"
            )
    return ""


def nothing(process: Process) -> Steps:
    """A command that is there but does not run."""
    process.err(f"exec {process.words[0]}: exec format error\n")
    return 255
    yield None


def last_words(spec: ContainerSpec, machine: Machine | None, code: int) -> str:
    """The termination message: what is in its file, else the end of the log where that was asked for."""
    if machine is None:
        return ""
    try:
        data = machine.files.read(spec.message_path).data if spec.message_path else b""
    except FileFault:
        data = b""
    if data:
        return data[:_LONGEST_MESSAGE].decode(errors="replace")
    if spec.message_from_log and code:
        lines = [f"{line.text}\n" for line in machine.log.lines[-_TAIL_LINES:]]
        return "".join(lines)[-_LONGEST_TAIL:]
    return ""
