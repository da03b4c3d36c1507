"""/openapi/v2 as protobuf, the only form in which client-go's discovery asks for it
(gnostic-models/openapiv2/OpenAPIv2.proto, by way of client-go/discovery OpenAPISchema).

kubectl itself has gone over to /openapi/v3 in JSON; older ones and other Go programs have not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from k8sdiag.evidence import Json

# What is answered, and what clients ask for: an @ may not stand in a media type, as Go's `mime` insists.
MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
ASKED_FOR = (MEDIA_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}

# Field numbers of what holds plain values, by message.
_OPERATION = {"tags": 1, "operationId": 5, "produces": 6, "consumes": 7, "schemes": 10}
_BODY = {"description": 1, "name": 2, "in": 3, "required": 4}
_QUERY = {"required": 1, "in": 2, "description": 3, "name": 4, "type": 6, "format": 7, "uniqueItems": 20}
_PATH = {"required": 1, "in": 2, "description": 3, "name": 4, "type": 5, "format": 6, "uniqueItems": 19}
_SCHEMA = {
    "$ref": 1,
    "format": 2,
    "title": 3,
    "description": 4,
    "maxLength": 11,
    "minLength": 12,
    "pattern": 13,
    "maxItems": 14,
    "minItems": 15,
    "uniqueItems": 16,
    "maxProperties": 17,
    "minProperties": 18,
    "required": 19,
    "readOnly": 27,
}


def encode_document(body: bytes) -> bytes:
    """The JSON document as a gnostic openapi.v2.Document."""
    document: Json = orjson.loads(body)
    info = _plain(document["info"], {"title": 1, "version": 2})
    paths = b"".join(_message(2, _named(path, _path_item(item))) for path, item in document["paths"].items())
    schemas = _schemas(document["definitions"])
    return _plain(document, {"swagger": 1}) + _message(2, info) + _message(8, paths) + _message(9, schemas)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _value(number: int, value: Any) -> bytes:
    """A text, a number or boolean, or a list of texts."""
    if isinstance(value, list):
        return b"".join(_message(number, str(each).encode()) for each in value)
    if isinstance(value, (bool, int)):
        return _varint(number << 3) + _varint(int(value))
    return _message(number, str(value).encode())


def _plain(values: Json, numbers: Mapping[str, int]) -> bytes:
    return b"".join(_value(number, values[key]) for key, number in numbers.items() if key in values)


def _named(name: str, content: bytes) -> bytes:
    return _message(1, name.encode()) + _message(2, content)


def _any(value: Any) -> bytes:
    """An Any as YAML text, for which JSON will do."""
    return _message(2, orjson.dumps(value))


def _extensions(number: int, values: Json) -> bytes:
    """The `x-…` fields."""
    return b"".join(_message(number, _named(key, _any(value))) for key, value in values.items() if key[:2] == "x-")


def _path_item(item: Json) -> bytes:
    operations = b"".join(
        _message(number, _operation(item[method])) for method, number in _METHODS.items() if method in item
    )
    return operations + _parameters(9, item.get("parameters", ()))


def _operation(operation: Json) -> bytes:
    responses = b"".join(
        _message(1, _named(code, _message(1, _response(response)))) for code, response in operation["responses"].items()
    )
    return (
        _plain(operation, _OPERATION)
        + _parameters(8, operation.get("parameters", ()))
        + _message(9, responses)
        + _extensions(13, operation)
    )


def _response(response: Json) -> bytes:
    described = _plain(response, {"description": 1})
    return described + (_message(2, _message(1, _schema(response["schema"]))) if "schema" in response else b"")


def _parameters(number: int, parameters: Iterable[Json]) -> bytes:
    return b"".join(_message(number, _message(1, _parameter(parameter))) for parameter in parameters)


def _parameter(parameter: Json) -> bytes:
    if parameter["in"] == "body":
        return _message(1, _plain(parameter, _BODY) + _message(5, _schema(parameter["schema"])))
    if parameter["in"] == "path":
        return _message(2, _message(4, _plain(parameter, _PATH)))
    return _message(2, _message(3, _plain(parameter, _QUERY)))


def _schemas(schemas: Mapping[str, Json]) -> bytes:
    return b"".join(_message(1, _named(name, _schema(schema))) for name, schema in schemas.items())


def _schema(schema: Json) -> bytes:
    out = [_plain(schema, _SCHEMA)]
    out += [_message(20, _any(value)) for value in schema.get("enum", ())]
    more = schema.get("additionalProperties")
    if more is not None:
        out.append(_message(21, _value(2, more) if isinstance(more, bool) else _message(1, _schema(more))))
    if "default" in schema:
        out.append(_message(5, _any(schema["default"])))
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        out.append(_message(22, _value(1, kinds)))
    if "items" in schema:
        out.append(_message(23, _message(1, _schema(schema["items"]))))
    out += [_message(24, _schema(below)) for below in schema.get("allOf", ())]
    if "properties" in schema:
        out.append(_message(25, _schemas(schema["properties"])))
    return b"".join((*out, _extensions(31, schema)))
