"""Environment variables from ConfigMaps and Secrets that are not there, or lack the key."""

from typing import Any

from tests.incidents.build import Incident, Json, container, incident, running, terminated, waiting

FROM_CONFIGMAP: list[Json] = [{"configMapRef": {"name": "app-config"}}]
PASSWORD: list[Json] = [
    {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db-secret", "key": "password"}}}
]


def unconfigured(made: Incident, error: str, *, init: bool = False, name: str = "web", **spec: Any) -> Incident:
    """A container that the kubelet cannot configure; it says so every 12 s."""
    stuck = waiting("CreateContainerConfigError", error)
    if init:
        boxes = [container("migrate", state=stuck, **spec)]
        pod = made.pod(name, container(state=waiting("PodInitializing")), init=boxes, phase="Pending")
    else:
        pod = made.pod(name, container(state=stuck, **spec), phase="Pending")
    box = "init:migrate" if init else "app"
    text = 'Container image "registry.example/shop/web:v1" already present on machine'
    made.event(pod, "Pulled", text, kind="Normal", count=48, ago=4, first=598, container=box)
    made.event(pod, "Failed", f"Error: {error}", count=48, ago=4, first=598, container=box)
    return made


@incident
def env_configmap_missing() -> Incident:
    made = Incident(
        "envFrom names a ConfigMap that does not exist, in an init container", "pod/web", "env-configmap-missing"
    )
    made.add("ConfigMap", "app-configs", data={"A": "b"})
    return unconfigured(made, 'configmap "app-config" not found', init=True, envFrom=FROM_CONFIGMAP)


@incident
def env_secret_missing() -> Incident:
    made = Incident("an environment variable from a Secret that does not exist", "pod/web", "env-secret-missing")
    made.add("Secret", "db-secrets", type="Opaque", data={"password": ""})
    return unconfigured(made, 'secret "db-secret" not found', env=PASSWORD)


@incident
def env_secret_missing_beside_a_running_container() -> Incident:
    made = Incident("the same, beside a container that runs; the events have expired", "pod/web", "env-secret-missing")
    stuck = container(state=waiting("CreateContainerConfigError", 'secret "db-secret" not found'), env=PASSWORD)
    made.pod("web", container("proxy", state=running(500), ready=True), stuck, phase="Pending")
    return made


@incident
def env_key_missing_configmap() -> Incident:
    made = Incident("an environment variable from a key that its ConfigMap lacks", "pod/web", "env-key-missing")
    made.add("ConfigMap", "app-config", data={"LOG-LEVEL": "info", "PORT": "80"})
    env = [
        {"name": "PORT", "valueFrom": {"configMapKeyRef": {"name": "app-config", "key": "PORT"}}},
        {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "app-config", "key": "COLOUR", "optional": True}}},
        {"name": "LOG_LEVEL", "valueFrom": {"configMapKeyRef": {"name": "app-config", "key": "LOG_LEVEL"}}},
    ]
    return unconfigured(made, "couldn't find key LOG_LEVEL in ConfigMap shop/app-config", env=env)


@incident
def env_services_not_synced() -> Incident:
    made = Incident("the kubelet has not read the Services since it started", "pod/web", "env-services-not-synced")
    return unconfigured(made, "services have not yet been read at least once, cannot construct envvars")


@incident
def env_config_cache() -> Incident:
    made = Incident("the kubelet's watch on the ConfigMap does not come up", "pod/web", "env-config-cache")
    error = "failed to sync configmap cache: timed out waiting for the condition"
    return unconfigured(made, error, envFrom=FROM_CONFIGMAP)


@incident
def healthy_optional_variable() -> Incident:
    made = Incident("healthy: a variable from an optional ConfigMap and an optional key", "pod/web", "")
    made.kinds = ["ConfigMap", "Secret"]
    made.add("Secret", "db-secret", type="Opaque", data={"user": ""})
    optional = [
        {"name": "P", "valueFrom": {"secretKeyRef": {"name": "db-secret", "key": "password", "optional": True}}}
    ]
    sources = [{"configMapRef": {"name": "app-config", "optional": True}}]
    box = container(
        state=running(9000), ready=True, last=terminated(0, ago=9010), restarts=1, env=optional, envFrom=sources
    )
    made.pod("web", box, ready=True, ago=90000)
    return made
