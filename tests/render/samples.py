"""Reports as the engine makes them, for every renderer to show."""

from __future__ import annotations

from k8sdiag.evidence import Gap, Ref
from k8sdiag.finding import Finding, Fix, Group, Moment, Proof, Report, ScanReport

TAKEN = "2026-11-21T22:33:00Z"
POD = Ref("Pod", "shop", "api-7c5d9b6f4-x2x8p")

_TRACEBACK = """starting api
Traceback (most recent call last):
  File "<string>", line 1, in <module>
ModuleNotFoundError: No module named 'flask'"""

_PATCH = """spec:
  template:
    spec:
      containers:
      - name: app
        image: registry.example.com/shop/api:<tag>
"""

MODULE_MISSING = Finding(
    rule="python-module-missing",
    title="A Python module is missing from the image",
    severity="error",
    confidence=0.95,
    subject=POD,
    symptom="Container app was restarted 5 times in 3 minutes.",
    cause="Container app exits with code 1: Python cannot find module flask",
    evidence=(
        Proof("log", f"{POD} container app", "2026-11-21T22:32:31.123456789Z", _TRACEBACK),
        Proof("status", f"{POD} container app", "", "lastState.terminated: exitCode 1, reason Error"),
        Proof("spec", f"{POD} container app", "", "image: python:3.11-slim"),
        Proof("event", str(POD), "2026-11-21T22:32:50Z", "Back-off restarting failed container app in pod " + POD.name),
    ),
    fixes=(
        Fix(
            "Add flask to the image, and roll the new image out",
            ("kubectl -n shop set image deployment/api app=registry.example.com/shop/api:<tag of one with flask>",),
            "",
            "Restarts every pod of the deployment, one after the other.",
        ),
        Fix("Go back to the last revision that worked", ("kubectl -n shop rollout undo deployment/api",), _PATCH),
    ),
    verify="kubectl -n shop rollout status deployment/api",
    links=("https://kubernetes.io/docs/tasks/debug/debug-application/debug-running-pod/",),
    affects=(Ref("Deployment", "shop", "api"),),
)

NO_LIMIT = Finding(
    rule="no-memory-limit",
    title="A container has no memory limit",
    severity="warning",
    confidence=0.8,
    subject=Ref("Deployment", "shop", "api"),
    symptom="",
    cause="Container app has no memory limit, so that one leak can take its node down",
    evidence=(Proof("spec", "deployment/api container app", "", "resources: {}"),),
    fixes=(Fix("Set a limit", ("kubectl -n shop set resources deployment/api -c app --limits=memory=256Mi",)),),
)

LATEST = Finding("image-latest", "An image has no fixed tag", "info", 0.5, POD, "", "Image shop/api has the tag latest")

NO_JOURNAL = Gap("kubelet journal of node1", "no access to the journal", "a fault of the node may be missed")

_WORDS = (
    "Scheduled: assigned to node1",
    "Pulled: image python:3.11-slim was there",
    "Created: container app",
    "Started",
)

CRASHING = Report(
    POD,
    "CrashLoopBackOff",
    healthy=False,
    findings=(MODULE_MISSING, NO_LIMIT, LATEST),
    gaps=(NO_JOURNAL,),
    timeline=(
        *(Moment(f"2026-11-21T22:29:{29 + at}Z", str(POD), text) for at, text in enumerate(_WORDS)),
        Moment("2026-11-21T22:29:40Z", "node/node1", "MemoryPressure became False"),
        *(Moment(f"2026-11-21T22:3{at // 2}:{at:02}Z", f"{POD} container app", "exited: code 1") for at in range(6)),
        Moment("2026-11-21T22:32:50Z", str(POD), "BackOff: restarting failed container app, and this line is long"),
    ),
    taken_at=TAKEN,
    source="recordings/crash-app",
)
HEALTHY = Report(Ref("Deployment", "shop", "web"), "3/3 ready", healthy=True)
UNLOOKED = Report(
    Ref("Node", "", "node1"),
    "Ready",
    healthy=False,
    findings=(LATEST,),
    gaps=(NO_JOURNAL, Gap("events in namespace shop", "forbidden")),
    taken_at=TAKEN,
)

_PULLING = tuple(
    Finding(
        rule="image-tag-missing",
        title="The image's tag does not exist",
        severity="critical",
        confidence=0.9,
        subject=Ref("Pod", "shop", f"web-{number}"),
        symptom="ImagePullBackOff",
        cause="Image shop/web:v2 does not exist in its registry",
        evidence=(Proof("event", f"pod/web-{number}", TAKEN, 'Failed to pull image "shop/web:v2": not found'),),
        fixes=(Fix("Use a tag that exists", ("kubectl -n shop set image deployment/web web=shop/web:<tag>",)),),
        group="shop/web:v2",
    )
    for number in range(9)
)
SCAN = ScanReport(
    "namespace shop",
    findings=(*_PULLING, MODULE_MISSING, NO_LIMIT),
    groups=(
        Group(
            "image-tag-missing",
            "The image's tag does not exist",
            "critical",
            "Image shop/web:v2 does not exist in its registry",
            tuple(found.subject for found in _PULLING),
            0,
        ),
        Group(MODULE_MISSING.rule, MODULE_MISSING.title, "error", MODULE_MISSING.cause, (POD,), 9),
    ),
    gaps=(NO_JOURNAL,),
    totals={"Pod": 41, "Ingress": 1, "critical": 9, "error": 1, "warning": 1},
    taken_at=TAKEN,
    source="context kind-shop",
)
QUIET_SCAN = ScanReport("all namespaces", totals={"Pod": 41, "NetworkPolicy": 2}, taken_at=TAKEN)
