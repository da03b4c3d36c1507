"""Certificates for approved CertificateSigningRequests (pkg/controller/certificates/signer/signer.go), signed by the
lab's authority. It is no controller like the others because the authority's key is the server's."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64

from k8sdiag.clock import Clock, format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.certificates import YEAR, Authority, SigningError
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.loop import Loop

KIND = "certificatesigningrequests"
_USAGES = frozenset(("client auth", "digital signature", "key encipherment"))
_SERVING = frozenset(("server auth", "digital signature", "key encipherment"))
# What each signer lets its certificates be used for, and what they must be for.
_SIGNERS = {
    "kubernetes.io/kube-apiserver-client": (_USAGES, "client auth"),
    "kubernetes.io/kube-apiserver-client-kubelet": (_USAGES, "client auth"),
    "kubernetes.io/kubelet-serving": (_SERVING, "server auth"),
    "kubernetes.io/legacy-unknown": (_USAGES | _SERVING, ""),
}


class Signer:
    """Signs what is approved."""

    def __init__(self, client: Client, loop: Loop, clock: Clock, authority: Authority) -> None:
        self._client, self._clock, self._authority = client, clock, authority
        self._queue = loop.queue("csr-signing", self._sync)
        client.watch(KIND, lambda _, obj, __: self._queue.add(obj["metadata"]["name"]))

    def _sync(self, name: str) -> None:
        found = self._client.find(KIND, "", name)
        if found is None or found["spec"].get("signerName") not in _SIGNERS:
            return
        status = found.get("status") or {}
        conditions = {one["type"] for one in status.get("conditions") or () if one.get("status") == "True"}
        if "Approved" not in conditions or conditions & {"Denied", "Failed"} or status.get("certificate"):
            return
        try:
            made = {**status, "certificate": b64encode(self._sign(found["spec"])).decode()}
        except SigningError as refused:
            now = format_time(self._clock.now())
            failed = {
                "type": "Failed",
                "status": "True",
                "reason": "SignerValidationFailure",
                "message": str(refused),
                "lastUpdateTime": now,
                "lastTransitionTime": now,
            }
            made = {**status, "conditions": [*(status.get("conditions") or ()), failed]}
        self._client.update(KIND, {**found, "status": made}, subresource="status")

    def _sign(self, spec: Json) -> bytes:
        usages = frozenset(spec.get("usages") or ())
        allowed, needed = _SIGNERS[spec["signerName"]]
        if not usages <= allowed or (needed and needed not in usages):
            raise SigningError(f"usages did not match {sorted(allowed)}")
        try:
            request = b64decode(spec.get("request", ""))
        except NotBase64:
            raise SigningError("PEM block type must be CERTIFICATE REQUEST") from None
        seconds = min(float(spec.get("expirationSeconds") or YEAR), YEAR)
        return self._authority.for_request(request, self._clock.now(), seconds, usages)
