"""Image pulls: the same failure in containerd's, dockerd's and CRI-O's words."""

from tests.incidents.build import Incident, container, incident, waiting


def pull_failure(made: Incident, image: str, error: str, *, reason: str = "ImagePullBackOff", **spec: object) -> Incident:
    """A pod whose image does not come, with the events a 1.33 kubelet sends."""
    said = f'Back-off pulling image "{image}": ErrImagePull: {error}' if reason == "ImagePullBackOff" else error
    pod = made.pod("web", container(image=image, state=waiting(reason, said)), phase="Pending", spec=spec)
    made.event(pod, "Pulling", f'Pulling image "{image}"', kind="Normal", count=4, ago=40, first=590, container="app")
    made.event(pod, "Failed", f'Failed to pull image "{image}": {error}', count=4, ago=40, first=590, container="app")
    made.event(pod, "Failed", "Error: ErrImagePull", count=4, ago=40, first=590, container="app")
    made.event(pod, "BackOff", f'Back-off pulling image "{image}"', kind="Normal", count=9, ago=5, first=589, container="app")
    made.event(pod, "Failed", "Error: ImagePullBackOff", count=9, ago=5, first=589, container="app")
    return made


@incident
def image_not_found_docker() -> Incident:
    made = Incident("dockerd: the tag is not in the registry", "pod/web", "image-not-found")
    error = "Error response from daemon: manifest for shop/web:v9 not found: manifest unknown: manifest unknown"
    return pull_failure(made, "shop/web:v9", error)
