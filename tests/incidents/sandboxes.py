"""Sandboxes and their network: what a pod waits for before any container, and the network plugin's own pods."""

from collections.abc import Iterable

from tests.incidents._controllers import HASH, deployment, replica_set
from tests.incidents.build import (
    Incident,
    Json,
    condition,
    container,
    crash_loop,
    incident,
    node,
    owner_reference,
    running,
    terminated,
    uid,
    waiting,
)
from tests.incidents.images import HEAD, containerd

RPC = "rpc error: code = Unknown desc = "
NETWORK = f'{RPC}failed to setup network for sandbox "4c2f0b7d9a6e": '
RUNC = f"{RPC}failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
NOT_READY = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns "
    "error: cni plugin not initialized"
)
LOG_RULES = ("log-lock-held", "log-config-invalid", "log-rbac-forbidden", "log-apiserver-unreachable", "log-file-missing")


def without_sandbox(ago: float = 300) -> list[Json]:
    """The conditions of a pod that waits for its sandbox."""
    why = ("False", "ContainersNotReady", "containers with unready status: [app]")
    return [
        condition("PodReadyToStartContainers", "False", ago=ago),
        condition("Initialized", "True", ago=ago),
        condition("Ready", *why, ago=ago),
        condition("ContainersReady", *why, ago=ago),
        condition("PodScheduled", "True", ago=ago),
    ]


def sandbox_failure(title: str, rule: str, error: str, *, reason: str = "FailedCreatePodSandBox", also: Iterable[str] = (),
                    **spec: object) -> Incident:  # fmt: skip
    """A pod that does not get past ContainerCreating, with the event the kubelet repeats."""
    made = Incident(title, "pod/web", rule, tuple(also))
    pod = made.pod("web", container(), phase="Pending", conditions=without_sandbox(), spec=spec, ago=300)
    said = f"Failed to create pod sandbox: {error}" if reason == "FailedCreatePodSandBox" else error
    made.event(pod, reason, said, count=21, ago=9, first=298)
    return made


def bare_node(made: Incident) -> None:
    """The node as it is before its network plugin is."""
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    state = node(ready="False", reason="KubeletNotReady", message=NOT_READY, taints=[taint], ago=500)
    made.add("Node", "node1", namespace="", **state)
    line = f'E1121 22:39:58.699199    1296 kubelet.go:3132] "Container runtime network not ready" networkReady="{NOT_READY[37:]}"'
    made.journal("kubelet", line, ago=2)


def flannel(made: Incident, *, init: Json | None = None, main: Json | None = None, ago: float = 400) -> Json:
    """flannel's DaemonSet with its pod on the node."""
    status = {"desiredNumberScheduled": 1, "currentNumberScheduled": 1, "numberReady": 0, "numberUnavailable": 1, "numberMisscheduled": 0}
    spec = {"selector": {"matchLabels": {"app": "flannel"}}, "template": {"metadata": {"labels": {"app": "flannel"}}, "spec": {}}}
    daemons = made.add("DaemonSet", "kube-flannel-ds", spec=spec, status=status, ago=ago)
    first = init or container("install-cni-plugin", state=terminated(0, ago=ago - 5, ran=1), ready=True)
    second = main or container("kube-flannel", image="ghcr.io/flannel-io/flannel:v0.25.6", state=waiting("PodInitializing"))
    pod = made.pod("kube-flannel-ds-x7k2m", second, init=[first], phase="Running" if init is None else "Pending", owner=daemons,
                   labels={"app": "flannel"}, spec={"hostNetwork": True}, ago=ago)  # fmt: skip
    made.add("Pod", "kube-flannel-ds-x7k2m", **{key: pod[key] for key in ("metadata", "spec", "status")}, ago=ago)
    return pod


def flannel_crash(title: str, rule: str, log: str, *, subject: str = "daemonset/kube-flannel-ds", bare: bool = True) -> Incident:
    """flannel's daemon ends with these last words."""
    made = Incident(title, subject, rule, ("cni-plugin-pod-crashes", *LOG_RULES))
    state = crash_loop("kube-flannel", "kube-flannel-ds-x7k2m")
    main = container("kube-flannel", image="ghcr.io/flannel-io/flannel:v0.25.6", state=state, last=terminated(1, ago=30, ran=1), restarts=6,
                     command=["/opt/bin/flanneld", "--ip-masq", "--kube-subnet-mgr"])  # fmt: skip
    pod = flannel(made, main=main)
    made.event(pod, "BackOff", "Back-off restarting failed container kube-flannel in pod kube-flannel-ds-x7k2m", count=20, ago=9, first=380)
    made.log("kube-flannel-ds-x7k2m", "kube-flannel", f"I1121 22:39:30.412345       1 main.go:212] CLI flags config: {{}}\n{log}")
    if bare:
        bare_node(made)
    return made


@incident
def cni_plugin_image_not_pulled() -> Incident:
    image = "ghcr.io/flannel-io/flannel-cni-plugin:v1.5.1-flannel2"
    error = containerd(image, f'{HEAD} "https://ghcr.io/v2/flannel-io/flannel-cni-plugin/manifests/v1.5.1-flannel2": '
                       "dial tcp 192.0.2.99:443: i/o timeout")  # fmt: skip
    made = Incident("flannel's init image cannot be pulled", "daemonset/kube-flannel-ds", "cni-plugin-image-not-pulled", ("registry-timeout",))
    said = f'Back-off pulling image "{image}": ErrImagePull: {error}'
    pod = flannel(made, init=container("install-cni-plugin", image=image, state=waiting("ImagePullBackOff", said)))
    made.event(pod, "Failed", f'Failed to pull image "{image}": {error}', count=5, ago=40, first=390, container="init:install-cni-plugin")
    bare_node(made)
    return made


@incident
def cni_plugin_image_not_pulled_pod() -> Incident:
    made = cni_plugin_image_not_pulled()
    made.title, made.subject = "a pod stays in ContainerCreating because flannel's image cannot be pulled", "pod/web"
    pod = made.pod("web", container(), phase="Pending", conditions=without_sandbox(), ago=300)
    made.event(pod, "NetworkNotReady", f"network is not ready: {NOT_READY}", count=140, ago=2, first=298)
    return made


@incident
def cni_plugin_pod_crashes() -> Incident:
    made = Incident("flannel's init container cannot write to the host", "pod/web", "cni-plugin-pod-crashes", ("log-read-only-filesystem",))
    state = crash_loop("install-cni-plugin", "kube-flannel-ds-x7k2m")
    last = terminated(1, ago=30, ran=1)
    flannel(made, init=container("install-cni-plugin", state=state, last=last, restarts=5, command=["cp", "-f", "/flannel", "/opt/cni/bin/flannel"]))
    made.log("kube-flannel-ds-x7k2m", "install-cni-plugin", "cp: can't create '/opt/cni/bin/flannel': Read-only file system")
    bare_node(made)
    pod = made.pod("web", container(), phase="Pending", conditions=without_sandbox(), ago=300)
    made.event(pod, "NetworkNotReady", f"network is not ready: {NOT_READY}", count=140, ago=2, first=298)
    return made


@incident
def flannel_no_pod_cidr() -> Incident:
    log = 'E1121 22:39:31.502345       1 main.go:359] Error registering network: failed to acquire lease: node "node1" pod cidr not assigned'
    return flannel_crash("kubeadm init without --pod-network-cidr", "flannel-no-pod-cidr", log)


@incident
def flannel_not_permitted() -> Incident:
    log = ("E1121 22:39:31.502345       1 main.go:227] Failed to create SubnetManager: error retrieving pod spec for "
           "'shop/kube-flannel-ds-x7k2m': pods \"kube-flannel-ds-x7k2m\" is forbidden: User \"system:serviceaccount:shop:flannel\" "
           'cannot get resource "pods" in API group "" in the namespace "shop"')  # fmt: skip
    return flannel_crash("flannel's ClusterRoleBinding is for another namespace", "flannel-not-permitted", log)


@incident
def flannel_api_unreachable() -> Incident:
    log = ("E1121 22:39:31.502345       1 main.go:227] Failed to create SubnetManager: error retrieving pod spec for "
           "'shop/kube-flannel-ds-x7k2m': Get \"https://10.96.0.1:443/api/v1/namespaces/shop/pods/kube-flannel-ds-x7k2m\": dial tcp "
           "10.96.0.1:443: i/o timeout")  # fmt: skip
    return flannel_crash("kube-proxy does not run, so flannel does not reach the API server", "flannel-api-unreachable", log,
                         subject="node/node1")  # fmt: skip


@incident
def flannel_net_conf() -> Incident:
    log = ("E1121 22:39:31.502345       1 main.go:227] Failed to create SubnetManager: error parsing subnet config: invalid character "
           "'}' looking for beginning of object key string")  # fmt: skip
    return flannel_crash("a stray comma in net-conf.json", "flannel-net-conf", log)


@incident
def flannel_br_netfilter() -> Incident:
    log = ("E1121 22:39:31.502345       1 main.go:278] Failed to check br_netfilter: stat /proc/sys/net/bridge/bridge-nf-call-iptables: "
           "no such file or directory")  # fmt: skip
    return flannel_crash("br_netfilter is not loaded", "flannel-br-netfilter", log, bare=False)


@incident
def flannel_no_interface() -> Incident:
    log = ("E1121 22:39:31.502345       1 main.go:302] Failed to find any valid interface to use: failed to get default v4 interface: "
           "unable to find default route")  # fmt: skip
    return flannel_crash("a node without a default route", "flannel-no-interface", log)


@incident
def flannel_cidr_mismatch() -> Incident:
    log = ('E1121 22:39:31.502345       1 main.go:359] Error registering network: failed to acquire lease: subnet "10.244.0.0/16" specified '
           'in the flannel net config doesn\'t contain "192.168.0.0/24" PodCIDR of the "node1" node')  # fmt: skip
    return flannel_crash("kubeadm's range is not flannel's", "flannel-cidr-mismatch", log)


@incident
def flannel_backend_failed() -> Incident:
    log = "E1121 22:39:31.502345       1 main.go:359] Error registering network: failed to create vxlan device: operation not permitted"
    return flannel_crash("flannel without NET_ADMIN", "flannel-backend-failed", log)


@incident
def cni_flannel_subnet_env() -> Incident:
    error = (f"{NETWORK}plugin type=\"flannel\" failed (add): failed to load flannel 'subnet.env' file: open /run/flannel/subnet.env: "
             "no such file or directory. Check the flannel pod log for this node.")  # fmt: skip
    return sandbox_failure("flannel has not written subnet.env since the node's start", "cni-flannel-subnet-env", error)


@incident
def cni_flannel_subnet_env_docker() -> Incident:
    error = (f'{RPC}failed to set up sandbox container "9b1c" network for pod "web": networkPlugin cni failed to set up pod "web_shop" '
             "network: open /run/flannel/subnet.env: no such file or directory")  # fmt: skip
    return sandbox_failure("cri-dockerd: no subnet.env", "cni-flannel-subnet-env", error)


@incident
def cni_binary_missing() -> Incident:
    error = f'{NETWORK}failed to find plugin "flannel" in path [/opt/cni/bin]'
    return sandbox_failure("the flannel plugin is not in /opt/cni/bin", "cni-binary-missing", error)


@incident
def cni_flannel_subnet_env_expired() -> Incident:
    made = Incident("a Deployment's pod has no sandbox; only containerd's journal still says why", "deployment/web", "cni-flannel-subnet-env", also=("workload-not-ready",))
    top = deployment(made)
    owner = replica_set(made, top, pods=1)
    pod = made.pod(f"web-{HASH}-x7k2p", container(), phase="Pending", owner=owner, labels={"app": "web"}, ago=4000,
                   conditions=[condition("PodReadyToStartContainers", "False"), condition("PodScheduled", "True", ago=4000)])  # fmt: skip
    made.objects = [obj for obj in made.objects if obj["kind"] != "Event"]
    name = f"&PodSandboxMetadata{{Name:{pod['metadata']['name']},Uid:{pod['metadata']['uid']},Namespace:shop,Attempt:7,}}"
    error = 'failed to setup network for sandbox \\"4c2f\\": plugin type=\\"flannel\\" failed (add): loadFlannelSubnetEnv failed: open /run/flannel/subnet.env: no such file or directory'
    made.journal("containerd", f'time="2026-11-21T22:39:33.9Z" level=error msg="RunPodSandbox for {name} failed, error" error="{error}"', ago=27)
    return made


@incident
def cni_binary_missing_crio() -> Incident:
    error = (f"{RPC}failed to create pod network sandbox k8s_web_shop_0(4c2f): error adding pod shop_web to CNI network \"cbr0\": "
             'failed to find plugin "portmap" in path [/opt/cni/bin /usr/libexec/cni]')  # fmt: skip
    return sandbox_failure("CRI-O: portmap is missing", "cni-binary-missing", error)


@incident
def cni_binary_broken() -> Incident:
    error = f'{NETWORK}plugin type="bridge" failed (add): fork/exec /opt/cni/bin/bridge: exec format error'
    return sandbox_failure("plugins for another architecture", "cni-binary-broken", error)


@incident
def cni_config_invalid() -> Incident:
    error = (f'{NETWORK}plugin type="bridge" name="mynet" failed (add): incompatible CNI versions; config is "1.1.0", plugin supports '
             '["0.1.0" "0.2.0" "0.3.0" "0.3.1" "0.4.0" "1.0.0"]')  # fmt: skip
    return sandbox_failure("a cniVersion newer than the plugin", "cni-config-invalid", error)


@incident
def cni_ip_exhausted() -> Incident:
    error = (f'{NETWORK}plugin type="bridge" name="cbr0" failed (add): failed to allocate for range 0: no IP addresses available in range '
             "set: 10.244.0.1-10.244.0.6")  # fmt: skip
    made = sandbox_failure("a podCIDR of six addresses", "cni-ip-exhausted", error)
    made.add("Node", "node1", namespace="", **node(podCIDR="10.244.0.0/29"))
    return made


@incident
def cni_ip_exhausted_calico() -> Incident:
    error = (f'{NETWORK}plugin type="calico" failed (add): failed to request IPv4 addresses: Assigned 0 out of 1 requested IPv4 addresses; '
             "No more free affine blocks and strict affinity enabled")  # fmt: skip
    return sandbox_failure("calico's pool is used up", "cni-ip-exhausted", error)


@incident
def cni_bridge_address_conflict() -> Incident:
    error = (f'{NETWORK}plugin type="flannel" failed (add): failed to delegate add: failed to set bridge addr: "cni0" already has an IP '
             "address different from 10.244.3.1/24")  # fmt: skip
    return sandbox_failure("the node joined again with another podCIDR", "cni-bridge-address-conflict", error)


@incident
def cni_agent_down() -> Incident:
    error = (f'{NETWORK}plugin type="calico" failed (add): stat /var/lib/calico/nodename: no such file or directory: check that the '
             "calico/node container is running and has mounted /var/lib/calico/")  # fmt: skip
    return sandbox_failure("calico-node does not run", "cni-agent-down", error)


@incident
def cni_agent_down_cilium() -> Incident:
    error = (f'{NETWORK}plugin type="cilium-cni" failed (add): unable to connect to Cilium daemon: failed to create cilium agent client after '
             '30.000000 seconds timeout: Get "http://localhost/v1/config": dial unix /var/run/cilium/cilium.sock: connect: no such file or '
             "directory")  # fmt: skip
    return sandbox_failure("cilium's agent does not run", "cni-agent-down", error)


@incident
def cni_unauthorized() -> Incident:
    error = f'{NETWORK}plugin type="calico" failed (add): error getting ClusterInformation: connection is unauthorized: Unauthorized'
    return sandbox_failure("calico's token on the node has expired", "cni-unauthorized", error)


@incident
def cni_api_unreachable() -> Incident:
    error = (f'{NETWORK}plugin type="calico" failed (add): error getting ClusterInformation: Get '
             '"https://10.96.0.1:443/apis/crd.projectcalico.org/v1/clusterinformations/default": dial tcp 10.96.0.1:443: i/o timeout')  # fmt: skip
    return sandbox_failure("calico's plugin does not reach the API server", "cni-api-unreachable", error)


@incident
def cni_portmap_failed() -> Incident:
    error = (f'{NETWORK}plugin type="portmap" failed (add): unable to create chain CNI-HOSTPORT-SETMARK: running [/usr/sbin/iptables -t nat -C '
             "CNI-HOSTPORT-SETMARK]: exit status 3: modprobe: FATAL: Module ip_tables not found")  # fmt: skip
    return sandbox_failure("hostPort without the iptables module", "cni-portmap-failed", error)


@incident
def cni_network_failed() -> Incident:
    error = f'{NETWORK}plugin type="macvlan" name="lan" failed (add): failed to create macvlan: device or resource busy'
    return sandbox_failure("a network plugin's own error", "cni-network-failed", error)


@incident
def cni_network_not_ready() -> Incident:
    return sandbox_failure("the network was not ready a moment ago; the Node says Ready", "cni-network-not-ready",
                           f"network is not ready: {NOT_READY}", reason="NetworkNotReady")  # fmt: skip


@incident
def sandbox_image_not_pulled() -> Incident:
    image = "registry.k8s.io/pause:3.9"
    error = (f'{RPC}failed to get sandbox image "{image}": failed to pull image "{image}": '
             + containerd(image, f'{HEAD} "https://registry.k8s.io/v2/pause/manifests/3.9": dial tcp: lookup registry.k8s.io on '
                          "10.0.0.2:53: no such host"))  # fmt: skip
    return sandbox_failure("a node without a way to registry.k8s.io", "sandbox-image-not-pulled", error)


@incident
def sandbox_image_not_pulled_docker() -> Incident:
    error = (f'{RPC}failed pulling image "registry.aliyuncs.com/google_containers/pause:3.9": Error response from daemon: Get '
             '"https://registry.aliyuncs.com/v2/": net/http: TLS handshake timeout')  # fmt: skip
    return sandbox_failure("cri-dockerd: the pause image", "sandbox-image-not-pulled", error)


@incident
def sandbox_name_reserved() -> Incident:
    error = f'{RPC}failed to reserve sandbox name "web_shop_{uid("Pod", "shop", "web")}_0": name "web_shop_0" is reserved for "4c2f0b7d9a6e"'
    return sandbox_failure("an earlier attempt holds the sandbox's name", "sandbox-name-reserved", error)


@incident
def sandbox_timeout() -> Incident:
    error = "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
    return sandbox_failure("the runtime does not answer in time", "sandbox-timeout", error)


@incident
def sandbox_timeout_journal() -> Incident:
    made = Incident("the same, the event has expired, and the journal has it", "pod/web", "sandbox-timeout")
    made.pod("web", container(), phase="Pending", conditions=without_sandbox(9000), ago=9000)
    made.journal("kubelet", 'E1121 22:39:49.537133    1296 kuberuntime_sandbox.go:72] "Failed to create sandbox for pod" '
                 'err="rpc error: code = DeadlineExceeded desc = context deadline exceeded" pod="shop/web"')  # fmt: skip
    return made


@incident
def sandbox_runtime_handler() -> Incident:
    error = f'{RPC}failed to get sandbox runtime: no runtime for "runsc" is configured'
    made = sandbox_failure("RuntimeClass gvisor, and no runsc in containerd's configuration", "sandbox-runtime-handler", error,
                           runtimeClassName="gvisor")  # fmt: skip
    made.add("RuntimeClass", "gvisor", namespace="", handler="runsc")
    return made


@incident
def sandbox_runtime_class_gone() -> Incident:
    error = 'runtimeclass.node.k8s.io "gvisor" not found'
    return sandbox_failure("the RuntimeClass was deleted after admission", "sandbox-runtime-class-gone", error, runtimeClassName="gvisor")


@incident
def sandbox_runtime_binary_missing() -> Incident:
    error = (f'{RPC}failed to start sandbox container task "4c2f": failed to start shim: failed to resolve runtime path: runtime '
             '"io.containerd.runsc.v1" binary not installed "containerd-shim-runsc-v1": file does not exist: unknown')  # fmt: skip
    made = sandbox_failure("the handler is configured and its shim not installed", "sandbox-runtime-binary-missing", error,
                           runtimeClassName="gvisor")  # fmt: skip
    made.add("RuntimeClass", "gvisor", namespace="", handler="runsc")
    return made


@incident
def sandbox_resolv_conf() -> Incident:
    error = "open /run/systemd/resolve/resolv.conf: no such file or directory"
    return sandbox_failure("the kubelet's resolvConf does not exist", "sandbox-resolv-conf", error)


@incident
def sandbox_cgroup_driver() -> Incident:
    error = f'{RUNC}expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/kubepods/besteffort/pod8f2f/4c2f" instead: unknown'
    return sandbox_failure("kubelet cgroupfs, runtime systemd", "sandbox-cgroup-driver", error)


@incident
def sandbox_cgroup_failed() -> Incident:
    error = (f"{RUNC}unable to start container process: unable to apply cgroup configuration: unable to start unit "
             '"cri-containerd-4c2f.scope": Message recipient disconnected from message bus without replying: unknown')  # fmt: skip
    return sandbox_failure("dbus does not answer", "sandbox-cgroup-failed", error)


@incident
def sandbox_sysctl() -> Incident:
    error = f"{RUNC}unable to start container process: error during container init: open /proc/sys/net/core/nope: no such file or directory: unknown"
    return sandbox_failure("a sysctl that this kernel has not", "sandbox-sysctl", error,
                           securityContext={"sysctls": [{"name": "net.core.nope", "value": "1"}]})  # fmt: skip


@incident
def sandbox_hostname_too_long() -> Incident:
    name = "web-with-a-very-long-name-that-nobody-should-ever-choose.backend.shop.svc.cluster.local"
    error = (f"failed to construct FQDN from pod hostname and cluster domain, FQDN {name} is too long (64 characters is the max, "
             f"{len(name)} characters requested)")  # fmt: skip
    return sandbox_failure("setHostnameAsFQDN and a long name", "sandbox-hostname-too-long", error, setHostnameAsFQDN=True)


@incident
def sandbox_user_namespaces() -> Incident:
    error = "can't set `spec.hostUsers: false`, runtime does not support user namespaces"
    return sandbox_failure("hostUsers: false on containerd 1.7", "sandbox-user-namespaces", error, hostUsers=False)


@incident
def sandbox_node_exhausted() -> Incident:
    error = (f"{RPC}failed to create sandbox root directory \"/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/4c2f\": mkdir "
             "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/4c2f: no space left on device")  # fmt: skip
    return sandbox_failure("no room for a sandbox", "sandbox-node-exhausted", error)


@incident
def sandbox_failed() -> Incident:
    error = f'{RPC}failed to create sandbox container metadata: database "io.containerd.metadata.v1" is frobnicated'
    return sandbox_failure("an error that no rule knows", "sandbox-failed", error)


@incident
def sandbox_changed_loop() -> Incident:
    made = Incident("the sandbox is killed again and again", "deployment/web", "sandbox-changed-loop", ("exit-error", "crash-loop"))
    deployment = made.add("Deployment", "web", spec={"replicas": 1, "selector": {"matchLabels": {"app": "web"}}},
                          status={"replicas": 1, "readyReplicas": 0, "updatedReplicas": 1, "unavailableReplicas": 1})  # fmt: skip
    replicas = made.add("ReplicaSet", "web-5579d475ff", metadata={"ownerReferences": [owner_reference(deployment)]},
                        spec={"replicas": 1}, status={"replicas": 1})  # fmt: skip
    state = container(state=crash_loop("app", "web-5579d475ff-k2x9p"), last=terminated(137, "Error", ago=40, ran=55), restarts=7)
    pod = made.pod("web-5579d475ff-k2x9p", state, owner=replicas, labels={"app": "web"}, ago=1800)
    made.event(pod, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.", kind="Normal", count=8, ago=30, first=1500)
    made.event(pod, "Killing", "Stopping container app", kind="Normal", count=8, ago=35, first=1500, container="app")
    return made


@incident
def sandbox_status_unknown() -> Incident:
    made = Incident("the runtime was restarted, and does not know the sandbox", "pod/web", "sandbox-status-unknown")
    pod = made.pod("web", container(state=running(4000)), ago=5000)
    made.event(pod, "FailedPodSandBoxStatus", 'Unable to get pod sandbox status: rpc error: code = Unavailable desc = error reading from '
               "server: EOF", count=3, ago=20, first=60)  # fmt: skip
    return made


@incident
def healthy_sandbox_failed_once() -> Incident:
    made = Incident("healthy: the first sandbox failed, the second did not, and the node was rebooted once", "pod/web", "")
    pod = made.pod("web", container(state=running(500), last=terminated(255, "Unknown", ago=540, ran=600), restarts=1, ready=True), ready=True)
    made.event(pod, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.", kind="Normal", ago=520)
    made.event(pod, "FailedCreatePodSandBox", f"Failed to create pod sandbox: {NETWORK}plugin type=\"flannel\" failed (add): open "
               "/run/flannel/subnet.env: no such file or directory", ago=518)  # fmt: skip
    made.event(pod, "NetworkNotReady", f"network is not ready: {NOT_READY}", count=5, ago=521, first=530)
    made.event(pod, "Pulled", 'Container image "registry.example/shop/web:v1" already present on machine', kind="Normal", ago=501)
    return made


@incident
def sandbox_failed_before_pull() -> Incident:
    image = "registry.example/shop/web:v9"
    made = Incident("the first sandbox failed; what is wrong now is the image", "pod/web", "image-not-found")
    error = containerd(image, f"{image}: not found", "NotFound")
    pod = made.pod("web", container(image=image, state=waiting("ErrImagePull", error)), phase="Pending", ago=300)
    made.event(pod, "FailedCreatePodSandBox", f"Failed to create pod sandbox: {NETWORK}plugin type=\"flannel\" failed (add): open "
               "/run/flannel/subnet.env: no such file or directory", ago=280)  # fmt: skip
    made.event(pod, "Failed", f'Failed to pull image "{image}": {error}', count=4, ago=20, first=270, container="app")
    return made


@incident
def cni_plugin_volume_missing() -> Incident:
    made = Incident("flannel waits for its ConfigMap, and the node for flannel", "node/node1", "cni-plugin-pod-failing", ("mount-configmap-missing",))
    pod = flannel(made, init=container("install-cni-plugin", state=waiting("PodInitializing")))
    made.event(pod, "FailedMount", 'MountVolume.SetUp failed for volume "flannel-cfg" : configmap "kube-flannel-cfg" not found', count=9,
               ago=20, first=380)  # fmt: skip
    bare_node(made)
    return made
