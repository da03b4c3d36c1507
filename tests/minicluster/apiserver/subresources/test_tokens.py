"""Tokens for ServiceAccounts."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.tokens import TokenSigner
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.cluster import MiniCluster

AUDIENCE = "https://kubernetes.default.svc.cluster.local"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def signer(cluster: MiniCluster, key: rsa.RSAPrivateKey) -> TokenSigner:
    made = TokenSigner(key, cluster.clock, cluster.random)
    cluster.handlers.subresources.issue = made.issue
    return made


def request(client: Client, **spec: Any) -> Json:
    return client.create("serviceaccounts", {"spec": spec}, "default", "token", "default")


def test_a_token_that_the_server_itself_accepts(client: Client, signer: TokenSigner) -> None:
    answer = request(client)
    assert answer["spec"] == {"audiences": [AUDIENCE], "expirationSeconds": 3600, "boundObjectRef": None}
    assert answer["status"]["expirationTimestamp"] == "2027-01-15T09:00:00Z"
    claims = signer.verify(answer["status"]["token"])
    assert claims["sub"] == "system:serviceaccount:default:default"


def test_a_pods_token_is_bound_to_it_and_lives_for_a_year(client: Client, signer: TokenSigner) -> None:
    pod = client.create(
        "pods",
        {"metadata": {"name": "web", "namespace": "default"}, "spec": {"containers": [{"name": "a", "image": "b"}]}},
    )
    uid = pod["metadata"]["uid"]
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "web", "uid": uid}
    answer = request(client, expirationSeconds=3607, boundObjectRef=bound)
    assert answer["status"]["expirationTimestamp"] == "2027-01-15T09:00:07Z"
    claims = signer.verify(answer["status"]["token"])
    assert claims["exp"] - claims["iat"] == 365 * 24 * 3600
    assert claims["kubernetes.io"]["pod"] == {"name": "web", "uid": uid}
    with pytest.raises(ApiError) as caught:
        request(client, boundObjectRef={**bound, "uid": "other"})
    assert caught.value.code == 409
    assert "the UID in the bound object reference (other) does not match the UID in record" in caught.value.message


def test_what_is_no_request(client: Client, signer: TokenSigner) -> None:
    with pytest.raises(ApiError) as caught:
        request(client, expirationSeconds=60)
    assert caught.value.message == (
        'TokenRequest.authentication.k8s.io "default" is invalid: spec.expirationSeconds: Invalid value: 60: '
        "may not specify a duration less than 10 minutes"
    )
    with pytest.raises(ApiError) as caught:
        request(client, boundObjectRef={"kind": "Job", "apiVersion": "batch/v1", "name": "x"})
    assert caught.value.message == "cannot bind token to object of type batch/v1, Kind=Job"
    with pytest.raises(ApiError) as caught:
        client.create("serviceaccounts", {"spec": {}}, "default", "token", "robot")
    assert caught.value.message == 'serviceaccounts "robot" not found'


def test_without_a_signer_there_are_none(client: Client) -> None:
    with pytest.raises(ApiError) as caught:
        request(client)
    assert caught.value.code == 500
