"""Healthy clusters, with the noise that healthy clusters make: nothing at or above warning may be found."""

from tests.incidents.build import Incident, container, incident, running, terminated


@incident
def healthy_restarted_once() -> Incident:
    made = Incident("healthy: a container that was restarted long ago and has run since", "pod/web", "")
    state = container(state=running(86400), last=terminated(255, "Unknown", ago=86460, ran=600), restarts=1, ready=True)
    made.pod("web", state, ready=True, ago=90000)
    return made


@incident
def healthy_late_configmap() -> Incident:
    made = Incident("healthy: a ConfigMap that came a second after its pod", "pod/web", "")
    pod = made.pod("web", container(state=running(500), ready=True), ready=True)
    made.event(pod, "FailedMount", 'MountVolume.SetUp failed for volume "config" : configmap "web" not found', ago=598)
    return made
