"""ServiceAccount tokens: JSON web tokens with the claims a real server writes, signed with the lab's key
(pkg/serviceaccount/claims.go, jwt.go, openidmetadata.go)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from k8sdiag.clock import Clock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.folder import replace

ISSUER = "https://kubernetes.default.svc.cluster.local"
AUDIENCES = (ISSUER,)
WARN_AFTER = 3607  # seconds: the life kubelet asks for; the server extends it to a year and warns in between
_KNOWN_TOKENS = 4096


class TokenError(Exception):
    """A token that is not accepted; the sentence is for TokenReview's `status.error`."""


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def load_key(path: Path | None) -> rsa.RSAPrivateKey:
    """The signing key from its file, made when there is none; a fresh one without a file."""
    if path is not None and path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if isinstance(key, rsa.RSAPrivateKey):
            return key
    key = rsa.generate_private_key(65537, 2048)
    if path is not None:
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        replace(path, pem)
    return key


class TokenSigner:
    """Signs and checks. Whether what a token is bound to still exists is the authenticator's to ask."""

    def __init__(self, key: rsa.RSAPrivateKey, clock: Clock, random: Random) -> None:
        self._key = key
        self._public = key.public_key()
        self._clock = clock
        self._random = random
        der = self._public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.key_id = _encode(hashlib.sha256(der).digest())
        self._header = _encode(orjson.dumps({"alg": "RS256", "kid": self.key_id}))
        self._known: dict[str, Json] = {}

    def issue(
        self,
        account: Json,
        audiences: Iterable[str] = (),
        seconds: float = 3600.0,
        bound: Mapping[str, Json] | None = None,
    ) -> tuple[str, float]:
        """A token for a ServiceAccount object, and when it expires. `bound` are the objects it lives and dies with:
        `pod`, `node` or `secret` to the object."""
        now = int(self._clock.now())
        expires = now + int(seconds)
        meta = account["metadata"]
        private: Json = {"namespace": meta["namespace"]}
        for kind, obj in (bound or {}).items():
            private[kind] = {"name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]}
        private["serviceaccount"] = {"name": meta["name"], "uid": meta["uid"]}
        claims: Json = {
            "aud": list(audiences) or list(AUDIENCES),
            "exp": expires,
            "iat": now,
            "iss": ISSUER,
            "jti": str(UUID(int=self._random.getrandbits(128), version=4)),
            "kubernetes.io": private,
            "nbf": now,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        return self.sign(claims), float(expires)

    def sign(self, claims: Json) -> str:
        signed = f"{self._header}.{_encode(orjson.dumps(claims))}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encode(signature)}"

    def verify(self, token: str) -> Json:
        """The claims of a token that we signed and whose time is now. Raises TokenError."""
        claims = self._known.get(token)
        if claims is None:
            claims = self._read(token)
            if len(self._known) >= _KNOWN_TOKENS:
                self._known.clear()
            self._known[token] = claims
        now = self._clock.now()
        if now >= claims["exp"]:
            raise TokenError("service account token has expired")
        if now < claims.get("nbf", 0):
            raise TokenError("service account token is not valid yet")
        return claims

    def _read(self, token: str) -> Json:
        signed, _, signature = token.rpartition(".")
        try:
            header: Any = orjson.loads(_decode(signed.partition(".")[0]))
            if header.get("alg") != "RS256":
                raise TokenError("invalid bearer token")
            self._public.verify(_decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            claims: Any = orjson.loads(_decode(signed.partition(".")[2]))
        except (ValueError, AttributeError, InvalidSignature):
            raise TokenError("invalid bearer token") from None
        if not isinstance(claims, dict) or claims.get("iss") != ISSUER or not isinstance(claims.get("exp"), int):
            raise TokenError("invalid bearer token")
        return claims

    # ---- what others need to check our tokens themselves

    def configuration(self, server: str) -> Json:
        """/.well-known/openid-configuration."""
        return {
            "issuer": ISSUER,
            "jwks_uri": f"{server}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def key_set(self) -> Json:
        """/openid/v1/jwks."""
        numbers = self._public.public_numbers()
        return {
            "keys": [
                {
                    "use": "sig",
                    "kty": "RSA",
                    "kid": self.key_id,
                    "alg": "RS256",
                    "n": _encode(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
                    "e": _encode(numbers.e.to_bytes(3, "big")),
                }
            ]
        }
