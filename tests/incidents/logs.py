"""Last words: what crashed programs of many languages print, one signature each; and lines that must not be believed."""

from __future__ import annotations

from typing import Any

from tests.incidents.build import Incident, container, crash_loop, incident, running, terminated


def crashed(title: str, rule: str, code: int, log: str, **spec: Any) -> Incident:
    """A pod in a crash loop with this log of its last run."""
    made = Incident(title, "pod/web", rule)
    state = container(state=crash_loop(), last=terminated(code, ran=1), restarts=5, **spec)
    pod = made.pod("web", state)
    made.event(
        pod,
        "Pulled",
        'Container image "registry.example/shop/web:v1" already present on machine',
        kind="Normal",
        count=6,
        ago=31,
        first=590,
    )
    made.event(pod, "Created", "Created container: app", kind="Normal", count=6, ago=31, first=590, container="app")
    made.event(pod, "Started", "Started container app", kind="Normal", count=6, ago=31, first=590, container="app")
    uid = pod["metadata"]["uid"]
    made.event(
        pod,
        "BackOff",
        f"Back-off restarting failed container app in pod web_shop({uid})",
        count=17,
        ago=5,
        first=580,
        container="app",
    )
    made.log("web", "app", log)
    return made


def service(made: Incident, name: str, port: int = 5432, address: str = "10.96.7.7") -> None:
    """A Service that selects app=NAME."""
    spec = {
        "selector": {"app": name},
        "clusterIP": address,
        "type": "ClusterIP",
        "ports": [{"port": port, "targetPort": port, "protocol": "TCP"}],
    }
    made.add("Service", name, spec=spec)


@incident
def log_service_missing_go() -> Incident:
    line = "2026/11/21 22:39:30 connecting to database: dial tcp: lookup postgres.shop.svc.cluster.local on 10.96.0.10:53: no such host"
    made = crashed("crash loop: the Service the program connects to does not exist", "log-service-missing", 1, line)
    made.kinds = ["Service", "Pod"]
    service(made, "postgresql")
    return made


@incident
def log_service_missing_nginx() -> Incident:
    line = '2026/11/21 22:39:30 [emerg] 1#1: host not found in upstream "backend" in /etc/nginx/conf.d/default.conf:6'
    made = crashed("crash loop: nginx proxies to a Service that does not exist", "log-service-missing", 1, line)
    made.kinds = ["Service", "Pod"]
    service(made, "frontend", 80)
    return made


@incident
def log_dns_no_host_named() -> Incident:
    log = "Traceback (most recent call last):\nsocket.gaierror: [Errno -2] Name or service not known"
    env = [
        {"name": "REDIS_URL", "value": "redis://:secret@cache.example.org:6379/0"},
        {"name": "MODE", "value": "fast"},
    ]
    return crashed(
        "crash loop: a name that does not resolve, known only from the environment", "log-dns-name", 1, log, env=env
    )


@incident
def log_service_no_pods() -> Incident:
    line = 'psql: error: connection to server at "db" (10.96.7.7), port 5432 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?'
    made = crashed("crash loop: the Service the program needs has no ready pods", "log-service-without-pods", 1, line)
    service(made, "db")
    return made


@incident
def log_service_port() -> Incident:
    line = "Error: connect ECONNREFUSED 10.96.7.7:5433"
    made = crashed("crash loop: the program asks a port its Service does not have", "log-service-port-closed", 1, line)
    service(made, "db")
    made.pod("db-0", container(state=running(900), ready=True), ready=True, labels={"app": "db"}, ago=950)
    return made


@incident
def log_apiserver() -> Incident:
    line = 'Get "https://10.96.0.1:443/api/v1/namespaces/shop/pods": dial tcp 10.96.0.1:443: i/o timeout'
    return crashed("crash loop: the pod does not reach the API server", "log-apiserver-unreachable", 1, line)


@incident
def log_running_again() -> Incident:
    made = Incident("crash loop caught while the container runs again", "pod/web", "log-env-missing")
    state = container(state=running(3), last=terminated(1, ago=4, ran=2), restarts=4, ready=True)
    made.pod("web", state, ready=True)
    made.log("web", "app", "starting", ago=3)
    made.log("web", "app", "starting\nKeyError: 'SHOP_SECRET'", previous=True)
    return made


@incident
def log_termination_message() -> Incident:
    made = Incident("crash loop without logs: the termination message tells", "pod/web", "log-permission-image-path")
    said = "PermissionError: [Errno 13] Permission denied: '/var/log/shop.log'"
    made.pod("web", container(state=crash_loop(), last=terminated(1, message=said), restarts=5))
    return made


@incident
def log_refused_before_oom() -> Incident:
    made = Incident("OOM kill of a program that also complains of a refused connection", "pod/web", "oom-killed")
    limits = {"limits": {"memory": "64Mi"}, "requests": {"memory": "64Mi"}}
    made.pod("web", container(state=crash_loop(), last=terminated(137, "OOMKilled"), restarts=5, resources=limits))
    made.log("web", "app", "WARN statsd: dial udp 10.96.9.9:8125: connection refused\nloading catalogue")
    return made


@incident
def log_retries_then_key() -> Incident:
    log = (
        "ERROR cannot connect to amqp://mq:5672: connection refused, trying again\n" * 5
        + "connected\nTraceback (most recent call last):\n  File \"/app/main.py\", line 3, in <module>\nKeyError: 'QUEUE_NAME'"
    )
    return crashed("crash loop: an early refused connection is not why it ended", "log-env-missing", 1, log)


@incident
def log_second_container() -> Incident:
    made = Incident(
        "one of two containers crashes; the healthy one's log has errors, too", "deployment/web", "log-config-invalid"
    )
    deployment = made.add(
        "Deployment",
        "web",
        spec={"replicas": 1},
        status={"replicas": 1, "updatedReplicas": 1, "unavailableReplicas": 1},
    )
    replicas = made.add("ReplicaSet", "web-5d4f8", spec={"replicas": 1}, status={"replicas": 1})
    replicas["metadata"]["ownerReferences"] = [_owner(deployment)]
    good = container("app", state=running(500), ready=True)
    bad = container(
        "metrics",
        "registry.example/metrics:v2",
        state=crash_loop("metrics", "web-5d4f8-abcde"),
        last=terminated(1),
        restarts=6,
    )
    made.pod("web-5d4f8-abcde", good, bad, owner=replicas, labels={"app": "web"})
    made.log("web-5d4f8-abcde", "app", "ERROR upstream: connection refused\nGET /health 200")
    made.log(
        "web-5d4f8-abcde",
        "metrics",
        'ts=2026 level=error msg="error parsing config file" err="yaml: line 3: did not find expected key"',
    )
    return made


def _owner(obj: dict[str, Any]) -> dict[str, Any]:
    from tests.incidents.build import owner_reference

    return owner_reference(obj)


@incident
def healthy_noisy_log() -> Incident:
    made = Incident("healthy: a container whose log is full of errors it copes with", "pod/web", "")
    made.pod(
        "web",
        container(state=running(4000), last=terminated(1, ago=4002, ran=1), restarts=1, ready=True),
        ready=True,
        ago=4100,
    )
    made.log(
        "web",
        "app",
        "ERROR dial tcp 10.96.7.7:5432: connect: connection refused\nKeyError: 'CACHE_URL'\npanic: recovered",
    )
    return made


@incident
def healthy_late_database() -> Incident:
    made = Incident("healthy: ended twice until its database was up, and has run well since", "pod/web", "")
    made.pod(
        "web",
        container(state=running(100), last=terminated(1, ago=110, ran=2), restarts=2, ready=True),
        ready=True,
        ago=140,
    )
    made.log("web", "app", "dial tcp 10.96.7.7:5432: connect: connection refused", previous=True)
    made.log("web", "app", "connected")
    return made


@incident
def log_permission_volume() -> Incident:
    made = Incident("crash loop: a volume that belongs to another user", "pod/web", "log-permission-denied")
    state = container(
        state=crash_loop(),
        last=terminated(1, ran=1),
        restarts=5,
        volumeMounts=[{"name": "data", "mountPath": "/var/lib/shop"}],
    )
    spec = {
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "shop-data"}}],
        "securityContext": {"runAsUser": 1000},
    }
    made.pod("web", state, spec=spec)
    made.log("web", "app", "PermissionError: [Errno 13] Permission denied: '/var/lib/shop/journal.db'")
    return made


@incident
def log_yaml_mounted() -> Incident:
    log = (
        "yaml.scanner.ScannerError: while scanning for the next token\nfound character '\\t' that cannot start any token\n"
        '  in "/etc/app/config.yml", line 4, column 1'
    )
    made = Incident("crash loop: a malformed file from a ConfigMap", "pod/web", "log-config-invalid")
    mounts = [{"name": "config", "mountPath": "/etc/app"}]
    state = container(state=crash_loop(), last=terminated(1, ran=1), restarts=5, volumeMounts=mounts)
    made.pod("web", state, spec={"volumes": [{"name": "config", "configMap": {"name": "shop-config"}}]})
    made.add("ConfigMap", "shop-config", data={"config.yml": "a:\n\tb: 1\n"})
    made.log("web", "app", log)
    return made


@incident
def log_service_pod_crashes() -> Incident:
    line = "FATAL could not connect to db:5432: dial tcp 10.96.7.7:5432: connect: connection refused"
    made = crashed("crash loop: the pod behind the Service it needs crashes", "log-service-without-pods", 1, line)
    service(made, "db")
    state = container("postgres", state=crash_loop("postgres", "db-0"), last=terminated(1, ran=1), restarts=6)
    made.pod("db-0", state, labels={"app": "db"})
    made.log("db-0", "postgres", 'FATAL:  data directory "/data" has wrong ownership')
    return made


@incident
def log_service_selector() -> Incident:
    line = "FATAL could not connect to db:5432: dial tcp 10.96.7.7:5432: connect: connection refused"
    made = crashed("crash loop: the Service it needs selects no pod", "log-service-without-pods", 1, line)
    service(made, "db")
    made.objects[-1]["spec"]["selector"] = {"app": "database"}
    made.pod("db-0", container(state=running(900), ready=True), ready=True, labels={"app": "db"}, ago=950)
    return made


@incident
def init_dns_silent() -> Incident:
    made = Incident("an init container waits, and the cluster DNS is silent", "pod/web", "init-waits-dns-silent")
    wait = container(
        "wait", state=running(120), command=["sh", "-c", "until nslookup db.example.org; do sleep 2; done"]
    )
    made.pod("web", container(state=None), init=[wait], phase="Pending")
    made.log("web", "wait", ";; connection timed out; no servers could be reached\n" * 3)
    return made


@incident
def supervisor_terminated() -> Incident:
    made = Incident(
        "crash loop: a supervisor stops itself; the shell's word is not its last", "pod/web", "exit-sigterm"
    )
    made.pod("web", container(state=crash_loop(), last=terminated(143, ran=3), restarts=5))
    made.log("web", "app", "supervisor: child exited, shutting down\nTerminated")
    return made


def _killed_by_kernel(title: str, rule: str, constraint: str, memcg: str) -> Incident:
    made = Incident(title, "pod/web", rule)
    limits = {"limits": {"memory": "64Mi"}, "requests": {"memory": "64Mi"}}
    state = container(state=crash_loop(), last=terminated(137, ran=20), restarts=5, resources=limits)
    run = "a3f09c" + "5d" * 29
    state["status"]["lastState"]["terminated"]["containerID"] = f"containerd://{run}"
    made.pod("web", state)
    made.log("web", "app", "loading catalogue")
    made.journal(
        "kernel",
        f"oom-kill:constraint={constraint},nodemask=(null),cpuset=cri-containerd-{run}.scope,mems_allowed=0,{memcg}"
        f"task_memcg=/kubepods.slice/kubepods-burstable.slice/cri-containerd-{run}.scope,task=web,pid=4123,uid=0",
        ago=31,
    )
    return made


@incident
def oom_kernel_limit() -> Incident:
    title = "OOM kill at the limit, of which the status says only Error 137"
    return _killed_by_kernel(title, "oom-killed", "CONSTRAINT_MEMCG", "oom_memcg=/kubepods.slice,")


@incident
def oom_kernel_node() -> Incident:
    title = "OOM kill of the whole node, of which the status says only Error 137"
    return _killed_by_kernel(title, "oom-node-kernel", "CONSTRAINT_NONE", "global_oom,")
