"""Services, DNS and what stands between a client and a pod."""

from typing import Any

from tests.incidents.build import (
    Incident,
    Json,
    container,
    crash_loop,
    incident,
    owner_reference,
    running,
    terminated,
)

HTTP = {"containerPort": 8080, "protocol": "TCP"}


def service(made: Incident, name: str = "web", *, ports: list[Json] | None = None, addresses: int = 1, namespace: str | None = None, **spec: Any) -> Json:
    """A Service and the EndpointSlice that the controller keeps for it (none where it has no selector)."""
    body: Json = {
        "type": "ClusterIP", "clusterIP": "10.96.12.7", "selector": {"app": "web"}, "sessionAffinity": "None",
        "ports": ports or [{"port": 80, "protocol": "TCP", "targetPort": 8080}],
    } | spec  # fmt: skip
    body = {key: value for key, value in body.items() if value is not None}
    status = {"loadBalancer": body.pop("ingress", {})}
    found = made.add("Service", name, namespace=namespace, ago=900, spec=body, status=status)
    if body.get("selector"):
        endpoints = [{"addresses": [f"10.244.0.{n + 9}"], "conditions": {"ready": True, "serving": True, "terminating": False}} for n in range(addresses)]
        made.add(
            "EndpointSlice", f"{name}-x2k8p", namespace=namespace, ago=900, addressType="IPv4", endpoints=endpoints,
            metadata={"labels": {"kubernetes.io/service-name": name}, "ownerReferences": [owner_reference(found)]},
            ports=[{"name": "", "port": 8080, "protocol": "TCP"}],
        )  # fmt: skip
    return found


def web_pod(made: Incident, *, ready: bool = True, ports: list[Json] | None = None, name: str = "web-1", **parts: Any) -> Json:
    """A pod behind the Service."""
    state = container(state=running(500), ready=ready, **parts)
    if ports:
        state["spec"]["ports"] = ports
    return made.pod(name, state, ready=ready, labels={"app": "web"})


@incident
def healthy_services() -> Incident:
    made = Incident("healthy: Services of every kind", "service/web", "")
    made.namespace = "shop"
    web_pod(made, ports=[HTTP, {"containerPort": 9090, "name": "metrics"}])
    service(made, ports=[{"port": 80, "targetPort": 8080}, {"port": 9090, "targetPort": "metrics"}], type="LoadBalancer",
            ingress={"ingress": [{"ip": "192.0.2.80"}]})  # fmt: skip
    service(made, "headless", clusterIP="None", publishNotReadyAddresses=True)
    return made


@incident
def healthy_service_external() -> Incident:
    made = Incident("healthy: an alias of a name outside", "service/db", "")
    service(made, "db", selector=None, clusterIP=None, ports=None, type="ExternalName", externalName="db.example.com")
    return made


@incident
def healthy_service_by_hand() -> Incident:
    made = Incident("healthy: a Service without selector, with Endpoints made by hand", "service/db", "")
    service(made, "db", selector=None)
    made.add("Endpoints", "db", subsets=[{"addresses": [{"ip": "192.0.2.44"}], "ports": [{"port": 5432}]}])
    return made


@incident
def healthy_service_undeclared_port() -> Incident:
    made = Incident("healthy: containers need not declare their ports", "service/web", "")
    web_pod(made)
    service(made)
    return made


@incident
def healthy_service_new_loadbalancer() -> Incident:
    made = Incident("healthy: a load balancer that is being made", "service/web", "")
    web_pod(made, ports=[HTTP])
    found = service(made, type="LoadBalancer")
    found["metadata"]["creationTimestamp"] = "2026-11-21T22:39:40Z"
    made.event(found, "EnsuringLoadBalancer", "Ensuring load balancer", kind="Normal", by="service-controller", ago=20)
    return made


@incident
def svc_selector_two_labels() -> Incident:
    made = Incident("one of the selector's two labels is wrong", "service/web", "service-selector-matches-nothing")
    made.pod("api-1", container(state=running(500), ready=True), ready=True, labels={"app": "web", "tier": "api"})
    made.pod("web-1", container(state=running(500), ready=True, ports=[HTTP]), ready=True, labels={"app": "web", "tier": "front"})
    service(made, selector={"app": "web", "tier": "frontend"}, addresses=0)
    return made


@incident
def svc_selector_namespace() -> Incident:
    made = Incident("the pods are in another namespace", "service/web", "service-selector-matches-nothing")
    made.pod("web-1", container(state=running(500), ready=True, ports=[HTTP]), ready=True, labels={"app": "web"}, namespace="store")
    made.pod("cache-1", container(state=running(500), ready=True), ready=True, labels={"role": "cache"})
    service(made, addresses=0)
    return made


@incident
def svc_not_ready() -> Incident:
    made = Incident("no pod of the Service is ready, and nothing says why", "service/web", "service-no-ready-pods")
    web_pod(made, ready=False, ports=[HTTP])
    service(made)
    return made


@incident
def svc_crashing() -> Incident:
    made = Incident("the Service's only pod crashes", "service/web", "exit-error", also=("service-no-ready-pods",))
    state = container(state=crash_loop("app", "web-1"), last=terminated(3, ago=20), restarts=5, ports=[HTTP])
    made.pod("web-1", state, labels={"app": "web"})
    service(made)
    return made


@incident
def svc_port_name() -> Incident:
    made = Incident("targetPort is a name that no container port has", "service/web", "service-port-name-missing")
    web_pod(made, ports=[HTTP | {"name": "web"}])
    service(made, ports=[{"port": 80, "protocol": "TCP", "targetPort": "http"}])
    return made


@incident
def svc_target_port() -> Incident:
    made = Incident("targetPort is not the port the container listens on", "service/web", "service-port-not-declared")
    web_pod(made, ports=[HTTP])
    service(made, ports=[{"port": 80, "protocol": "TCP", "targetPort": 9090}])
    return made


@incident
def svc_port_protocol() -> Incident:
    made = Incident("the Service is UDP, the containers declare TCP", "service/web", "service-port-protocol")
    web_pod(made, ports=[HTTP])
    service(made, ports=[{"port": 80, "protocol": "UDP", "targetPort": 8080}])
    return made


@incident
def healthy_service_both_protocols() -> Incident:
    made = Incident("healthy: a port for both protocols", "service/dns", "")
    both = [{"containerPort": 5353, "protocol": "TCP", "name": "tcp"}, {"containerPort": 5353, "protocol": "UDP", "name": "udp"}]
    web_pod(made, ports=both)
    service(made, "dns", ports=[{"name": "u", "port": 53, "protocol": "UDP", "targetPort": 5353}, {"name": "t", "port": 53, "targetPort": 5353}])
    return made


@incident
def healthy_service_one_port_undeclared() -> Incident:
    made = Incident("healthy: one of two ports is not declared", "service/web", "")
    web_pod(made, ports=[HTTP])
    service(made, ports=[{"name": "http", "port": 80, "targetPort": 8080}, {"name": "metrics", "port": 9090, "targetPort": 9090}])
    return made


@incident
def healthy_service_other_port_probed() -> Incident:
    made = Incident("healthy: the probe asks another port than the Service sends to", "service/web", "")
    web_pod(made, readinessProbe={"httpGet": {"path": "/", "port": 8081}})
    service(made)
    return made


@incident
def svc_loadbalancer_pending() -> Incident:
    made = Incident("no controller makes load balancers in this cluster", "service/web", "service-loadbalancer-pending")
    web_pod(made, ports=[HTTP])
    service(made, type="LoadBalancer")
    return made


@incident
def svc_loadbalancer_failed() -> Incident:
    made = Incident("the cloud refuses the load balancer", "service/web", "service-loadbalancer-failed")
    web_pod(made, ports=[HTTP])
    found = service(made, type="LoadBalancer")
    said = "Error syncing load balancer: failed to ensure load balancer: could not find any suitable subnets for creating the ELB"
    made.event(found, "EnsuringLoadBalancer", "Ensuring load balancer", kind="Normal", by="service-controller", count=6, ago=30, first=880)
    made.event(found, "SyncLoadBalancerFailed", said, by="service-controller", count=6, ago=30, first=880)
    return made


@incident
def svc_alias_dangling() -> Incident:
    made = Incident("an alias of a Service that does not exist", "service/db", "service-external-name-dangling")
    service(made, "db", selector=None, clusterIP=None, ports=None, type="ExternalName", externalName="postgres.shop.svc.cluster.local")
    return made


@incident
def svc_no_selector() -> Incident:
    made = Incident("the selector was forgotten", "service/web", "service-without-endpoints")
    web_pod(made, ports=[HTTP])
    service(made, selector=None)
    return made


@incident
def healthy_service_two_workloads() -> Incident:
    made = Incident("healthy: a Service over two workloads", "service/web", "")
    web_pod(made, ports=[HTTP])
    web_pod(made, ports=[HTTP], name="web-canary")
    service(made)
    return made


@incident
def svc_dns_down() -> Incident:
    made = Incident("CoreDNS has no ready pod", "service/kube-dns", "dns-coredns-down", also=("service-selector-matches-nothing",), namespace="kube-system")
    made.pod("other-1", container(state=running(500), ready=True), ready=True, labels={"k8s-app": "other"})
    service(made, "kube-dns", selector={"k8s-app": "kube-dns"}, ports=[{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}], addresses=0)
    return made


@incident
def crash_dns_loop() -> Incident:
    made = Incident("CoreDNS forwards to itself", "pod/coredns-5d78c9869d-4xw7z", "dns-loop", namespace="kube-system")
    name = "coredns-5d78c9869d-4xw7z"
    made.pod(name, container("coredns", state=crash_loop("coredns", name, "kube-system"), last=terminated(1, ago=40), restarts=5), labels={"k8s-app": "kube-dns"})
    said = '[FATAL] plugin/loop: Loop (127.0.0.1:41013 -> :53) detected for zone ".", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO 4547991504243258144.3688648895315093531."'
    for previous in (False, True):
        made.log(name, "coredns", f".:53\nCoreDNS-1.11.3\n{said}", previous=previous)
    return made


@incident
def crash_kube_proxy() -> Incident:
    made = Incident("kube-proxy does not start on the node", "pod/kube-proxy-8xk2p", "kube-proxy-failing", also=("exit-error",), namespace="kube-system")
    name = "kube-proxy-8xk2p"
    made.pod(name, container("kube-proxy", state=crash_loop("kube-proxy", name, "kube-system"), last=terminated(1, ago=40), restarts=5), labels={"k8s-app": "kube-proxy"})
    return made


@incident
def healthy_dns_search_limits() -> Incident:
    made = Incident("healthy: some search domains are cut off", "pod/web", "")
    pod = made.pod("web", container(state=running(500), ready=True), ready=True)
    said = "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: shop.svc.cluster.local svc.cluster.local"
    made.event(pod, "DNSConfigForming", said, count=9, ago=20)
    return made


@incident
def dns_missing_cluster_dns() -> Incident:
    made = Incident("the kubelet was not told the DNS server", "pod/web", "dns-missing-cluster-dns")
    pod = made.pod("web", container(state=running(500), ready=True), ready=True)
    said = 'pod: "web_shop(8f2f24ae-5b3f-4331-8d69-318ffb24bf3b)". kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.'
    made.event(pod, "MissingClusterDNS", said, count=3, ago=100)
    return made


@incident
def healthy_host_network_dns() -> Incident:
    made = Incident("healthy: hostNetwork with dnsPolicy ClusterFirst", "pod/agent", "")
    made.pod("agent", container(state=running(500), ready=True), ready=True, spec={"hostNetwork": True})
    return made


def policy(made: Incident, name: str, **spec: Any) -> Json:
    """A NetworkPolicy for every pod of the namespace."""
    return made.add("NetworkPolicy", name, spec={"podSelector": {}} | spec)


@incident
def crash_network_policy() -> Incident:
    made = Incident("a default-deny policy keeps the app from its database", "pod/web", "networkpolicy-denies-egress",
                    also=("log-connection-timeout",))  # fmt: skip
    policy(made, "default-deny", policyTypes=["Ingress", "Egress"])
    made.pod("web", container(state=crash_loop(), last=terminated(1, ago=30, ran=31), restarts=4))
    for previous in (False, True):
        made.log("web", "app", "starting\nError: dial tcp 10.96.44.2:5432: i/o timeout", previous=previous)
    return made


@incident
def healthy_network_policy() -> Incident:
    made = Incident("healthy: a Service whose pods a policy shuts off, where policies may not be enforced", "service/web", "")
    web_pod(made, ports=[HTTP])
    service(made)
    policy(made, "default-deny", policyTypes=["Ingress"])
    return made


@incident
def svc_ingress_backend() -> Incident:
    made = Incident("an Ingress names a Service that does not exist", "ingress/shop", "ingress-backend-missing")
    web_pod(made, ports=[HTTP])
    service(made)
    backend = {"service": {"name": "wep", "port": {"number": 80}}}
    made.add("Ingress", "shop", spec={"rules": [{"host": "shop.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]})
    return made


@incident
def svc_ingress_port() -> Incident:
    made = Incident("an Ingress names a port its Service does not have", "ingress/shop", "ingress-backend-missing")
    web_pod(made, ports=[HTTP])
    service(made)
    backend = {"service": {"name": "web", "port": {"number": 8080}}}
    made.add("Ingress", "shop", spec={"rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]})
    return made


def workload(made: Incident, replicas: int) -> Json:
    """The Deployment behind the Service, without pods; its ReplicaSet is handed back."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "registry.example/shop/web:v1"}]}}
    app = made.add("Deployment", "web", spec={"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}, status={})
    return made.add("ReplicaSet", "web-7d4b9c6f5", metadata={"ownerReferences": [owner_reference(app)]}, spec={"replicas": replicas}, status={"replicas": 0})


@incident
def svc_scaled_to_zero() -> Incident:
    made = Incident("the Deployment behind the Service is scaled to 0", "service/web", "service-workload-without-pods")
    workload(made, 0)
    made.pod("cache-1", container(state=running(500), ready=True), ready=True, labels={"role": "cache"})
    service(made, addresses=0)
    return made


@incident
def svc_pods_refused() -> Incident:
    made = Incident(
        "the Deployment behind the Service may not create pods", "service/web", "quota-exceeded",
        also=("service-workload-without-pods",),
    )
    replicas = workload(made, 2)
    said = 'Error creating: pods "web-7d4b9c6f5-" is forbidden: exceeded quota: team, requested: pods=1, used: pods=1, limited: pods=1'
    made.event(replicas, "FailedCreate", said, by="replicaset-controller", count=9, ago=30, first=500)
    made.pod("cache-1", container(state=running(500), ready=True), ready=True, labels={"role": "cache"})
    service(made, addresses=0)
    return made


@incident
def svc_pod_completed() -> Incident:
    made = Incident("the Service's only pod has completed", "service/web", "service-pods-ended")
    made.pod("web-1", container(state=terminated(0, "Completed", ago=60, ran=100)), phase="Succeeded", labels={"app": "web"}, spec={"restartPolicy": "Never"})
    service(made, addresses=0)
    return made


@incident
def svc_dns_not_ready() -> Incident:
    made = Incident("CoreDNS runs and is not ready", "service/kube-dns", "dns-coredns-not-ready", also=("service-no-ready-pods",), namespace="kube-system")
    made.pod("coredns-5d78c9869d-4xw7z", container("coredns", state=running(300)), labels={"k8s-app": "kube-dns"})
    service(made, "kube-dns", selector={"k8s-app": "kube-dns"}, ports=[{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}])
    return made
