"""What the server says it is and has: kinds, versions, raw paths."""

from __future__ import annotations

import json

from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows


@shows("kubectl get --raw PATH")
def test_raw(here: Kubectl, namespace: str) -> None:
    found = json.loads(here("get", "--raw", f"/api/v1/namespaces/{namespace}").stdout)
    assert (found["kind"], found["metadata"]["name"]) == ("Namespace", namespace)
    assert here("get", "--raw", "/livez").stdout == "ok"
    missing = here("get", "--raw", "/api/v1/namespaces/nowhere", code=1)
    assert missing.stderr == 'Error from server (NotFound): namespaces "nowhere" not found\n'
