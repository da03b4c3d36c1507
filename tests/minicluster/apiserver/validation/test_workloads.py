"""Workloads that the server refuses: Deployments and their like, Jobs, CronJobs."""

# ruff: noqa: E501 - what the server says stays whole, a message a line
from __future__ import annotations

import pytest

from tests.minicluster.apiserver.validation.complaints import changed, complaints

PODS = "{metadata: {labels: {app: x}}, spec: {containers: [{name: a, image: b}]}}"
ONCE = "{spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}"


def workload(extra: str = "", selector: str = "{matchLabels: {app: x}}", pods: str = PODS) -> str:
    return f"spec: {{selector: {selector}, template: {pods}{', ' if extra else ''}{extra}}}"


def job(extra: str = "", pods: str = ONCE) -> str:
    return f"spec: {{template: {pods}{', ' if extra else ''}{extra}}}"


def cron_job(extra: str) -> str:
    return f"spec: {{jobTemplate: {{spec: {{template: {ONCE}}}}}, {extra}}}"


@pytest.mark.parametrize("kind", ["deployments", "replicasets", "statefulsets", "daemonsets"])
def test_selectors(kind: str) -> None:
    assert complaints(kind, workload()) == []
    assert complaints(kind, workload(selector="{matchLabels: {app: z}}")) == [
        'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`'
    ]
    never = PODS.replace("containers", "restartPolicy: Never, containers")
    assert complaints(kind, workload(pods=never)) == [
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'
    ]


@pytest.mark.parametrize("kind", ["deployments", "replicasets", "daemonsets"])
def test_selectors_stay(kind: str) -> None:
    pods = PODS.replace("app: x", "app: x, tier: y")
    after = workload(selector="{matchLabels: {tier: y}}", pods=pods)
    assert changed(kind, workload(), after) == [
        'spec.selector: Invalid value: {"matchLabels":{"tier":"y"}}: field is immutable'
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (workload("replicas: -1"), ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
        (workload(selector="{}"), ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"]),
        ("spec: {template: " + PODS + "}", ["spec.selector: Required value"]),
        (
            workload("strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}"),
            ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
        ),
        (
            workload("strategy: {rollingUpdate: {maxSurge: 10, maxUnavailable: 101%}}"),
            ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
        ),
        (
            workload("strategy: {rollingUpdate: {maxSurge: abc}}"),
            [
                "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"abc\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
            ],
        ),
        (
            workload("strategy: {type: Recreate, rollingUpdate: {}}"),
            ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
        ),
        (
            workload("minReadySeconds: 600"),
            ["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
        ),
    ],
)
def test_deployments(text: str, expected: list[str]) -> None:
    assert complaints("deployments", text) == expected


def test_statefulsets() -> None:
    assert changed("statefulsets", workload(), workload("replicas: 3, minReadySeconds: 1")) == []
    assert changed("statefulsets", workload(), workload("serviceName: y")) == [
        (
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
            "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
            "forbidden"
        )
    ]
    assert complaints("statefulsets", workload(), name="a.b") == [
        'metadata.name: Invalid value: "a.b": must not contain dots'
    ]


def test_daemonsets() -> None:
    both = "updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}"
    assert complaints("daemonsets", workload(both)) == [
        "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (job(), []),
        (job("parallelism: -1"), ["spec.parallelism: Invalid value: -1: must be greater than or equal to 0"]),
        (
            job(pods="{spec: {containers: [{name: a, image: b}]}}"),
            ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
        ),
        (
            job("completionMode: Indexed, parallelism: 1"),
            ["spec.completions: Required value: when completion mode is Indexed"],
        ),
        (
            job("podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [0]}}]}"),
            [
                "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator"
            ],
        ),
        (
            job("successPolicy: {rules: [{succeededCount: 1}]}"),
            ['spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: requires indexed completion mode'],
        ),
        (
            job("manualSelector: true, selector: {matchLabels: {a: b}}"),
            ["spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`"],
        ),
    ],
)
def test_jobs(text: str, expected: list[str]) -> None:
    assert complaints("jobs", text) == expected


def test_a_job_stays_what_it_is() -> None:
    assert changed("jobs", job(), job("parallelism: 2, completions: 1, suspend: true")) == []
    assert changed("jobs", job(), job("completions: 2, parallelism: 1")) == [
        "spec.completions: Invalid value: 2: field is immutable"
    ]
    [text] = changed("jobs", job(), job(pods=ONCE.replace("image: b", "image: c")))
    assert text.startswith('spec.template: Invalid value: {"spec":{')
    assert text.endswith(": field is immutable")
    gated = ONCE.replace("restartPolicy", "nodeSelector: {a: b}, restartPolicy")
    assert changed("jobs", job("suspend: true"), job("suspend: true", pods=gated)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (cron_job("schedule: '*/5 * * * *', timeZone: Europe/Berlin"), []),
        (cron_job("suspend: true"), ["spec.schedule: Required value"]),
        (
            cron_job("schedule: '61 * * * *'"),
            ['spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61'],
        ),
        (
            cron_job("schedule: 'TZ=UTC * * * * *'"),
            [
                'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead'
            ],
        ),
        (
            cron_job("schedule: '* * * * *', timeZone: Mars"),
            ['spec.timeZone: Invalid value: "Mars": unknown time zone Mars'],
        ),
        (
            cron_job("schedule: '* * * * *', concurrencyPolicy: Maybe"),
            ['spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"'],
        ),
    ],
)
def test_cron_jobs(text: str, expected: list[str]) -> None:
    assert complaints("cronjobs", text) == expected


def test_a_cron_job_leaves_room_in_its_jobs_names() -> None:
    name = "a" * 53
    assert complaints("cronjobs", cron_job("schedule: '* * * * *'"), name=name) == [
        f'metadata.name: Invalid value: "{name}": must be no more than 52 characters'
    ]
