"""Containers that cannot be created or started, in the words of containerd, CRI-O and dockerd."""

from typing import Any

from tests.incidents.build import (
    Incident,
    Json,
    condition,
    container,
    crash_loop,
    incident,
    running,
    terminated,
    waiting,
)

SHIM = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to"
    " start container process: "
)
DOCKER = (
    'failed to start container "1f2e": Error response from daemon: failed to create shim task: OCI runtime create failed:'
    " runc create failed: unable to start container process: "
)
CRIO = "container create failed: "


def events(made: Incident, pod: Json, message: str, *, box: str = "app", created: bool = True, count: int = 7) -> None:
    """What the kubelet says of a container that does not start."""
    image = 'Container image "registry.example/shop/web:v1" already present on machine'
    made.event(pod, "Pulled", image, kind="Normal", count=count, ago=30, first=598, container=box)
    if created:
        name = box.removeprefix("init:")
        made.event(
            pod, "Created", f"Created container: {name}", kind="Normal", count=count, ago=30, first=598, container=box
        )
    made.event(pod, "Failed", f"Error: {message}", count=count, ago=30, first=598, container=box)


def containerd(made: Incident, error: str, *, init: bool = False, wrapped: bool = True, **spec: Any) -> Incident:
    """Created and not started: StartError 128 over and over."""
    message = f"{SHIM}{error}: unknown" if wrapped else error
    last = terminated(128, "StartError", ago=30, ran=0, message=message, never=True)
    name = "migrate" if init else "app"
    box = container(name, state=crash_loop(name), last=last, restarts=6, **spec)
    if init:
        pod = made.pod("web", container(state=waiting("PodInitializing")), init=[box], phase="Pending")
    else:
        pod = made.pod("web", box)
    events(made, pod, message, box=f"init:{name}" if init else name)
    text = f"Back-off restarting failed container {name} in pod web_shop"
    made.event(pod, "BackOff", text, count=30, ago=5, first=590, container=f"init:{name}" if init else name)
    return made


def docker(made: Incident, error: str, code: int, **spec: Any) -> Incident:
    """Created and not started: ContainerCannotRun over and over."""
    message = f"{DOCKER}{error}: unknown"
    last = terminated(code, "ContainerCannotRun", ago=30, ran=0, message=message.partition("daemon: ")[2])
    pod = made.pod("web", container(state=waiting("RunContainerError", message), last=last, restarts=6, **spec))
    events(made, pod, message)
    return made


def uncreated(made: Incident, message: str, *, reason: str = "CreateContainerError", **spec: Any) -> Incident:
    """Not even created: the waiting state says it, and nothing is counted."""
    pod = made.pod("web", container(state=waiting(reason, message), **spec), phase="Pending")
    events(made, pod, message, created=False, count=48)
    return made


def exits(made: Incident, code: int, log: str, **spec: Any) -> Incident:
    """A container that starts, says something and ends at once."""
    box = container(state=crash_loop(), last=terminated(code, ago=30, ran=0), restarts=6, **spec)
    pod = made.pod("web", box)
    for reason, text in (("Created", "Created container: app"), ("Started", "Started container app")):
        made.event(pod, reason, text, kind="Normal", count=7, ago=30, first=598, container="app")
    made.event(
        pod,
        "BackOff",
        "Back-off restarting failed container app in pod web_shop",
        count=30,
        ago=5,
        first=590,
        container="app",
    )
    made.log("web", "app", log)
    return made


SERVER = ["/app/server", "--port=80"]
MISSING = 'exec: "/app/server": stat /app/server: no such file or directory'


@incident
def start_exec_not_found_init() -> Incident:
    made = Incident("an init container's command is not in $PATH", "pod/web", "start-exec-not-found")
    return containerd(made, 'exec: "migrate-db": executable file not found in $PATH', init=True, command=["migrate-db"])


@incident
def start_exec_not_found_docker() -> Incident:
    made = Incident("dockerd: the command is not in the image", "pod/web", "start-exec-not-found")
    return docker(made, MISSING, 127, command=SERVER)


@incident
def start_exec_not_found_crio() -> Incident:
    made = Incident("CRI-O with runc: the command is not in the image", "pod/web", "start-exec-not-found")
    log = 'time="2026-11-21T22:30:00Z" level=error msg="runc create failed: unable to start container process: '
    return uncreated(made, CRIO + log + MISSING.replace('"', '\\"') + '"', command=SERVER)


@incident
def start_exec_not_found_crun() -> Incident:
    made = Incident("CRI-O with crun: the command is not in $PATH", "pod/web", "start-exec-not-found")
    return uncreated(
        made, CRIO + "executable file `server` not found in $PATH: No such file or directory", command=["server"]
    )


@incident
def start_exec_hidden_by_volume() -> Incident:
    made = Incident(
        "a volume is mounted over the program; it has just failed, and runs no more", "pod/web", "start-exec-not-found"
    )
    mounts = [{"name": "data", "mountPath": "/app"}]
    message = f"{SHIM}error during container init: {MISSING}: unknown"
    state = terminated(128, "StartError", ago=3, ran=0, message=message, never=True)
    made.pod("web", container(state=state, restarts=1, command=SERVER, volumeMounts=mounts),
             spec={"volumes": [{"name": "data", "emptyDir": {}}]})  # fmt: skip
    return made


@incident
def start_shell_missing() -> Incident:
    made = Incident("a shell in a distroless image", "pod/web", "start-shell-missing")
    return containerd(made, 'exec: "sh": executable file not found in $PATH', command=["sh", "-c", "server"])


@incident
def start_command_one_string() -> Incident:
    made = Incident("a command line given as one word", "pod/web", "start-command-one-string")
    return containerd(
        made, 'exec: "python app.py --port 80": executable file not found in $PATH', command=["python app.py --port 80"]
    )


@incident
def start_exec_permission_denied() -> Incident:
    made = Incident("a script from a ConfigMap without execute permission", "pod/web", "start-exec-permission-denied")
    containerd(made, 'exec: "/scripts/run.sh": permission denied', command=["/scripts/run.sh"],
               volumeMounts=[{"name": "scripts", "mountPath": "/scripts"}])  # fmt: skip
    pod = next(o for o in made.objects if o["kind"] == "Pod")
    pod["spec"]["volumes"] = [{"name": "scripts", "configMap": {"name": "scripts", "defaultMode": 420}}]
    made.add("ConfigMap", "scripts", data={"run.sh": "#!/bin/sh"})
    return made


@incident
def start_exec_is_directory_docker() -> Incident:
    made = Incident("dockerd: the command is a directory", "pod/web", "start-exec-permission-denied")
    return docker(made, 'exec: "/app": is a directory', 126, command=["/app"])


@incident
def start_workdir_denied() -> Incident:
    made = Incident("the user may not enter the working directory", "pod/web", "start-workdir")
    error = 'error during container init: chdir to cwd ("/root/app") set in config.json failed: permission denied'
    return containerd(made, error, workingDir="/root/app", securityContext={"runAsUser": 1000})


@incident
def start_workdir_file() -> Incident:
    made = Incident("the working directory is a file", "pod/web", "start-workdir")
    return containerd(made, "error during container init: mkdir /etc/passwd: not a directory", workingDir="/etc/passwd")


@incident
def start_workdir_docker() -> Incident:
    made = Incident("dockerd: the working directory is a file", "pod/web", "start-workdir")
    message = "Error response from daemon: Cannot mkdir: /etc/passwd is not a directory"
    return uncreated(made, message, workingDir="/etc/passwd")


@incident
def start_exec_format_error() -> Incident:
    made = Incident("an arm64 image on amd64", "pod/web", "start-exec-format-error")
    return exits(made, 255, "exec /app/server: exec format error", command=SERVER)


@incident
def start_exec_format_error_crun() -> Incident:
    made = Incident("crun: a binary for another architecture", "pod/web", "start-exec-format-error")
    line = '{"msg":"exec container process `/app/server`: Exec format error","level":"error","time":"2026-11-21T22:39:30Z"}'
    return exits(made, 1, line, command=SERVER)


@incident
def start_exec_format_error_old() -> Incident:
    made = Incident("runc 1.0: a binary for another architecture", "pod/web", "start-exec-format-error")
    return exits(made, 1, "standard_init_linux.go:228: exec user process caused: exec format error")


@incident
def start_bad_interpreter() -> Incident:
    made = Incident("a script with Windows line ends", "pod/web", "start-bad-interpreter")
    return exits(made, 1, "exec /entrypoint.sh: no such file or directory", command=["/entrypoint.sh"])


@incident
def start_bad_interpreter_env() -> Incident:
    made = Incident("a script whose interpreter is not in the image", "pod/web", "start-bad-interpreter")
    return exits(made, 127, "env: can't execute 'bash': No such file or directory", command=["/entrypoint.sh"])


@incident
def start_no_command() -> Incident:
    made = Incident("an image without a command", "pod/web", "start-no-command")
    return uncreated(made, 'failed to generate container "9c1b" spec: failed to generate spec: no command specified')


NONROOT: Json = {"runAsNonRoot": True}
POD = '(pod: "web_shop(1c8f)", container: app)'


@incident
def start_nonroot_image_root() -> Incident:
    made = Incident("an image that runs as root, and runAsNonRoot", "pod/web", "start-nonroot-image-root")
    message = f"container has runAsNonRoot and image will run as root {POD}"
    return uncreated(made, message, reason="CreateContainerConfigError", securityContext=NONROOT)


@incident
def start_nonroot_named_user() -> Incident:
    made = Incident("an image whose user is a name, and runAsNonRoot", "pod/web", "start-nonroot-named-user")
    message = f"container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root {POD}"
    return uncreated(made, message, reason="CreateContainerConfigError", securityContext=NONROOT)


@incident
def start_nonroot_user_zero() -> Incident:
    made = Incident("runAsUser 0 and runAsNonRoot", "pod/web", "start-nonroot-user-zero")
    message = f"container's runAsUser breaks non-root policy {POD}"
    return uncreated(made, message, reason="CreateContainerConfigError", securityContext=NONROOT | {"runAsUser": 0})


@incident
def start_unknown_user() -> Incident:
    made = Incident("containerd: the image's user is not in its passwd file", "pod/web", "start-unknown-user")
    message = "failed to create containerd container: mount callback failed on /var/lib/containerd/tmpmounts/containerd-mount183: no users found"
    return uncreated(made, message)


@incident
def start_unknown_user_docker() -> Incident:
    made = Incident("dockerd: the image's user is not in its passwd file", "pod/web", "start-unknown-user")
    message = 'failed to start container "1f2e": Error response from daemon: unable to find user nosuch: no matching entries in passwd file'
    last = terminated(128, "ContainerCannotRun", ago=30, ran=0, message=message.partition("daemon: ")[2])
    made.pod("web", container(state=crash_loop(), last=last, restarts=3))
    return made


@incident
def start_unknown_capability() -> Incident:
    made = Incident("dockerd: a capability that does not exist", "pod/web", "start-unknown-capability")
    return uncreated(made, 'Error response from daemon: invalid CapAdd: unknown capability: "CAP_FOO"',
                     securityContext={"capabilities": {"add": ["FOO"]}})  # fmt: skip


@incident
def start_apparmor_profile() -> Incident:
    made = Incident("an AppArmor profile that is not loaded", "pod/web", "start-apparmor-profile")
    return uncreated(
        made,
        "failed to create containerd container: failed to generate apparmor spec opts: apparmor profile not found shop-web",
    )


@incident
def start_seccomp_profile() -> Incident:
    made = Incident("a seccomp profile that is not on the node", "pod/web", "start-seccomp-profile")
    path = "/var/lib/kubelet/seccomp/profiles/audit.json"
    return uncreated(
        made,
        f'failed to create containerd container: failed to generate seccomp spec opts: cannot load seccomp profile "{path}": open {path}: no such file or directory',
    )


def without_sandbox(made: Incident, message: str, **spec: Any) -> Incident:
    """A pod whose sandbox cannot be made."""
    unready = [condition("PodReadyToStartContainers", "False"), condition("Initialized", "True"),
               condition("Ready", "False", "ContainersNotReady", "containers with unready status: [app]"),
               condition("PodScheduled", "True")]  # fmt: skip
    pod = made.pod("web", container(**spec), phase="Pending", conditions=unready)
    made.event(pod, "FailedCreatePodSandBox", f"Failed to create pod sandbox: rpc error: code = Unknown desc = {message}",
               count=40, ago=8, first=598)  # fmt: skip
    return made


@incident
def start_seccomp_sandbox() -> Incident:
    made = Incident("a seccomp profile for the whole pod that is not on the node", "pod/web", "start-seccomp-sandbox")
    path = "/var/lib/kubelet/seccomp/profiles/audit.json"
    return without_sandbox(
        made,
        f'failed to generate sandbox security options for sandbox "web": failed to generate seccomp security options for container: cannot load seccomp profile "{path}": open {path}: no such file or directory',
    )


@incident
def start_mount_type_mismatch() -> Incident:
    made = Incident("a ConfigMap mounted onto a file", "pod/web", "start-mount-type-mismatch")
    return containerd(
        made,
        'error during container init: error mounting "/var/lib/kubelet/pods/1c8f/volumes/kubernetes.io~configmap/config" to rootfs at "/etc/nginx/nginx.conf": mount /var/lib/kubelet/pods/1c8f/volumes/kubernetes.io~configmap/config:/etc/nginx/nginx.conf (via /proc/self/fd/6), flags: 0x5001: not a directory',
    )


@incident
def start_read_only_mountpoint() -> Incident:
    made = Incident("a volume inside a read-only one", "pod/web", "start-read-only-mountpoint")
    return containerd(
        made,
        'error during container init: error mounting "/var/lib/kubelet/pods/1c8f/volumes/kubernetes.io~empty-dir/cache" to rootfs at "/config/cache": create mountpoint for /config/cache mount: make mountpoint "/config/cache": mkdirat /run/containerd/io.containerd.runtime.v2.task/k8s.io/1f2e/rootfs/config/cache: read-only file system',
    )


@incident
def start_oom_at_init() -> Incident:
    made = Incident("a memory limit too small for the container's start", "pod/web", "start-oom-at-init")
    return containerd(
        made, "container init was OOM-killed (memory limit too low?)", resources={"limits": {"memory": "4Mi"}}
    )


@incident
def start_oom_at_sandbox() -> Incident:
    made = Incident("a memory limit of a tenth of a byte", "pod/web", "start-oom-at-sandbox")
    error = SHIM + "container init was OOM-killed (memory limit too low?): unknown"
    return without_sandbox(made, error, resources={"limits": {"memory": "100m"}, "requests": {"memory": "100m"}})


@incident
def start_name_reserved() -> Incident:
    made = Incident("the first attempt to create the container hangs", "pod/web", "start-name-reserved")
    return uncreated(
        made,
        'failed to reserve container name "app_web_shop_1c8f_0": name "app_web_shop_1c8f_0" is reserved for "9d2e"',
    )


@incident
def start_runtime_timeout() -> Incident:
    made = Incident("creating the container takes too long", "pod/web", "start-runtime-timeout")
    return uncreated(made, "context deadline exceeded")


@incident
def start_device_injection() -> Incident:
    made = Incident("a GPU without its driver", "pod/web", "start-device-injection")
    return containerd(
        made,
        "error during container init: error running prestart hook #0: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy' nvidia-container-cli: initialization error: nvml error: driver not loaded",
    )


@incident
def start_cgroup_limit() -> Incident:
    made = Incident("a stale cpuset", "pod/web", "start-cgroup-limit")
    error = 'error during container init: error setting cgroup config for procHooks process: failed to write "4-7": write /sys/fs/cgroup/kubepods.slice/cri-containerd-1f2e.scope/cpuset.cpus: permission denied'
    return containerd(made, error, resources={"limits": {"cpu": "4", "memory": "1Gi"}})


HOOK: Json = {"postStart": {"exec": {"command": ["/bin/sh", "-c", "register --now"]}}}


@incident
def start_post_start_hook() -> Incident:
    made = Incident("a postStart hook fails; the state says so", "pod/web", "start-post-start-hook")
    error = """Exec lifecycle hook ([/bin/sh -c register --now]) for Container "app" in Pod "web_shop(1c8f)" failed - error: command '/bin/sh -c register --now' exited with 127: /bin/sh: register: not found, message: "/bin/sh: register: not found\\n\""""
    state = waiting("PostStartHookError", error)
    pod = made.pod("web", container(state=state, last=terminated(137, ago=20, ran=31), restarts=3, lifecycle=HOOK))
    made.event(pod, "FailedPostStartHook", "PostStartHook failed", count=4, ago=50, first=590, container="app")
    made.event(pod, "Killing", "FailedPostStartHook", kind="Normal", count=4, ago=50, first=590, container="app")
    return made


@incident
def start_post_start_hook_back_off() -> Incident:
    made = Incident(
        "a postStart hook fails; the state says only that the container ends", "pod/web", "start-post-start-hook"
    )
    box = container(state=crash_loop(), last=terminated(137, ago=20, ran=31), restarts=5, lifecycle=HOOK)
    pod = made.pod("web", box)
    made.event(pod, "Started", "Started container app", kind="Normal", count=6, ago=51, first=590, container="app")
    made.event(pod, "FailedPostStartHook", "PostStartHook failed", count=6, ago=50, first=590, container="app")
    made.event(pod, "Killing", "FailedPostStartHook", kind="Normal", count=6, ago=50, first=590, container="app")
    line = """E1121 22:39:10.000000    9589 handlers.go:80] "Exec lifecycle hook for Container in Pod failed" err="command '/bin/sh -c register --now' exited with 127: /bin/sh: register: not found" execCommand=["/bin/sh","-c","register --now"] containerName="app" pod="shop/web" message="/bin/sh: register: not found\""""
    made.journal("kubelet", line, ago=50)
    return made


def hook_line() -> str:
    return """E1121 22:39:10.000000    9589 kuberuntime_container.go:300] "Failed to execute PostStartHook" err="Exec lifecycle hook ([/bin/sh -c register --now]) for Container \\"app\\" in Pod \\"web_shop(1c8f)\\" failed - error: command '/bin/sh -c register --now' exited with 127: /bin/sh: register: not found\\n, message: \\"/bin/sh: register: not found\\\\n\\"" pod="shop/web" podUID="1c8f" containerName="app" containerID="containerd://37fd\""""


@incident
def start_post_start_hook_expired() -> Incident:
    made = Incident("a postStart hook fails; only the journal still says so", "pod/web", "start-post-start-hook")
    made.pod("web", container(state=crash_loop(), last=terminated(137, ago=20, ran=31), restarts=5, lifecycle=HOOK))
    made.objects = [obj for obj in made.objects if obj["kind"] != "Event"]
    made.journal("kubelet", hook_line(), ago=50)
    return made


@incident
def start_post_start_hook_hangs() -> Incident:
    made = Incident("a postStart hook that does not end", "pod/web", "start-post-start-hook-hangs")
    pod = made.pod(
        "web", container(lifecycle={"postStart": {"exec": {"command": ["sleep", "infinity"]}}}), phase="Pending"
    )
    made.event(pod, "Created", "Created container: app", kind="Normal", ago=597, container="app")
    made.event(pod, "Started", "Started container app", kind="Normal", ago=597, container="app")
    return made


@incident
def healthy_post_start_hook_once() -> Incident:
    made = Incident("healthy: a postStart hook that failed once, long ago", "pod/web", "")
    box = container(state=running(3000), ready=True, last=terminated(137, ago=3020, ran=31), restarts=1, lifecycle=HOOK)
    pod = made.pod("web", box, ready=True, ago=3600)
    made.event(pod, "FailedPostStartHook", "PostStartHook failed", ago=3050, container="app")
    return made


@incident
def start_internal_hook() -> Incident:
    made = Incident("the CPU manager cannot place the container", "pod/web", "start-internal-hook")
    return uncreated(
        made, "not enough cpus available to satisfy request: requested=2, available=1", reason="PreStartHookError"
    )


@incident
def start_volume_not_mounted() -> Incident:
    made = Incident("recursive read-only on a runtime that cannot do it", "pod/web", "start-volume-not-mounted")
    return uncreated(
        made,
        'volume "data" requested recursive read-only mode, but it is not supported by the runtime',
        reason="CreateContainerConfigError",
    )


@incident
def start_recursive_read_only() -> Incident:
    made = Incident("recursive read-only, refused by the runtime", "pod/web", "start-recursive-read-only")
    return uncreated(
        made, 'failed to start container "1f2e": recursive read-only mounts are not supported', reason="RROUnsupported"
    )


@incident
def start_subpath() -> Incident:
    made = Incident("a subPath in a volume that is read-only", "pod/web", "start-subpath")
    return uncreated(
        made,
        'failed to create subPath directory for volumeMount "data" of container "app"',
        reason="CreateContainerConfigError",
    )


@incident
def start_host_port_taken() -> Incident:
    made = Incident("dockerd: the host port is taken", "pod/web", "start-host-port-taken")
    message = 'failed to start container "1f2e": Error response from daemon: driver failed programming external connectivity on endpoint k8s_POD_web: Bind for 0.0.0.0:8080 failed: port is already allocated'
    return uncreated(made, message, reason="RunContainerError")


@incident
def start_processes_exhausted() -> Incident:
    made = Incident("the node has no process ids left", "pod/web", "start-processes-exhausted")
    return containerd(
        made,
        "failed to create containerd task: failed to start shim: start failed: fork/exec /usr/bin/containerd-shim-runc-v2: resource temporarily unavailable",
        wrapped=False,
    )


@incident
def start_log_limits_exhausted() -> Incident:
    made = Incident("the pod may have no more threads", "pod/web", "start-log-limits-exhausted")
    return exits(
        made, 1, 'Traceback (most recent call last):\n  File "app.py", line 9\nRuntimeError: can\'t start new thread'
    )


@incident
def start_failed() -> Incident:
    made = Incident("a start error no other rule knows", "pod/web", "start-failed")
    return containerd(made, "error during container init: keyctl join session keyring: unexpected")


@incident
def start_pod_directories_failed() -> Incident:
    made = Incident("the kubelet cannot create the pod's directories", "pod/web", "start-pod-directories-failed")
    unready = [condition("PodReadyToStartContainers", "False"), condition("PodScheduled", "True")]
    pod = made.pod("web", container(), phase="Pending", conditions=unready)
    made.event(
        pod,
        "Failed",
        'error making pod data directories: mkdir "/var/lib/kubelet/pods/1c8f": read-only file system',
        count=20,
        ago=5,
        first=595,
    )
    return made


@incident
def start_pod_cgroup_failed() -> Incident:
    made = Incident("the kubelet cannot create the pod's cgroup", "pod/web", "start-pod-cgroup-failed")
    unready = [condition("PodReadyToStartContainers", "False"), condition("PodScheduled", "True")]
    pod = made.pod("web", container(), phase="Pending", conditions=unready)
    text = "unable to ensure pod container exists: failed to create container for [kubepods besteffort pod1c8f] : dbus: connection closed by user"
    made.event(pod, "FailedCreatePodContainer", text, count=20, ago=5, first=595)
    return made


@incident
def start_pod_status_undetermined() -> Incident:
    made = Incident("the runtime does not answer for the pod's state", "pod/web", "start-pod-status-undetermined")
    pod = made.pod("web", container(state=running(3000)), ago=3600)
    text = "error determining status: rpc error: code = Unknown desc = failed to get sandbox status: context deadline exceeded"
    made.event(pod, "FailedSync", text, count=20, ago=5, first=595)
    return made
