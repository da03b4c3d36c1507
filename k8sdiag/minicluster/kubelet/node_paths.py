"""What a node's own file system has, as far as hostPath volumes ask (pkg/volume/hostpath/host_path.go)."""

from __future__ import annotations

# What every Debian node with a kubelet and containerd has, by kind.
_FOLDERS = frozenset(
    "/ /bin /boot /dev /dev/shm /etc /etc/cni /etc/cni/net.d /etc/kubernetes /etc/kubernetes/manifests"
    " /etc/kubernetes/pki /etc/ssl /etc/ssl/certs /home /lib /lib/modules /media /mnt /opt /opt/cni /opt/cni/bin /proc"
    " /root /run /run/containerd /run/flannel /run/systemd /sbin /srv /sys /sys/fs/bpf /sys/fs/cgroup /tmp /usr"
    " /usr/bin /usr/lib /usr/local /usr/share /usr/share/ca-certificates /var /var/lib /var/lib/containerd"
    " /var/lib/kubelet /var/lib/kubelet/device-plugins /var/lib/kubelet/plugins /var/lib/kubelet/plugins_registry"
    " /var/lib/kubelet/pods /var/lib/cni /var/log /var/log/containers /var/log/pods /var/run /var/tmp".split()
)
_FILES = frozenset(
    "/etc/hosts /etc/hostname /etc/passwd /etc/group /etc/localtime /etc/machine-id /etc/os-release /etc/resolv.conf"
    " /etc/timezone /run/xtables.lock /run/flannel/subnet.env /etc/kubernetes/kubelet.conf".split()
)
_SOCKETS = frozenset(("/run/containerd/containerd.sock", "/var/run/containerd/containerd.sock"))
_CHARACTERS = frozenset(("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/kmsg", "/dev/fuse", "/dev/tty"))
_BLOCKS = frozenset(("/dev/sda", "/dev/vda"))

_CHECKS = {
    "Directory": (_FOLDERS, "directory"),
    "File": (_FILES, "file"),
    "Socket": (_SOCKETS, "socket file"),
    "CharDevice": (_CHARACTERS, "character device"),
    "BlockDevice": (_BLOCKS, "block device"),
}


def type_error(path: str, kind: str, made: set[str]) -> str:
    """Why a path is not of the wanted kind, or ''. `made` are the paths that pods of the node have brought about; those
    of the ...OrCreate kinds are added."""
    clean = path.rstrip("/") or "/"
    if kind in ("DirectoryOrCreate", "FileOrCreate", ""):
        made.add(clean)
        return ""
    there, word = _CHECKS.get(kind, (frozenset[str](), kind))
    if clean in there or (clean in made and kind in ("Directory", "File")):
        return ""
    return f"hostPath type check failed: {path} is not a {word}"
