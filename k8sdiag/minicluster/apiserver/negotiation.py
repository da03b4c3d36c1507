"""Which form an answer takes and what form a body has: JSON or YAML, whole, as a table or as metadata alone
(apiserver/pkg/endpoints/handlers/negotiation, runtime/serializer/json)."""

from __future__ import annotations

import base64
import gzip
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

import orjson
import yaml

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors, protobuf

JSON_TYPE = "application/json"
YAML_TYPE = "application/yaml"
PROTOBUF_TYPE = "application/vnd.kubernetes.protobuf"
MEDIA_TYPES = (JSON_TYPE, YAML_TYPE)  # of answers
BODY_TYPES = (JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE)  # of bodies
PATCH_TYPES = {
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/apply-patch+cbor",
}
_ACCEPTED_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
_TRANSFORMS = frozenset(("Table", "PartialObjectMetadata", "PartialObjectMetadataList"))
_META_VERSIONS = frozenset(("v1", "v1beta1"))
GZIP_FROM = 128 * 1024  # apiserver/pkg/endpoints/handlers/responsewriters defaultGzipThresholdBytes
_PRETTY_AGENTS = ("curl", "Wget", "Mozilla/5.0")  # responsewriters/writers.go isPrettyPrint

MOST_YAML_VALUES = 1_000_000  # aliases let a small document mean a huge one

# libyaml where PyYAML was built with it: ten times as fast.
_FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_YAML_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(_FAST_LOADER):  # type: ignore[misc]
    """Leaves time stamps the text they are, as Go's YAML does."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own attribute)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in _FAST_LOADER.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True, slots=True)
class Clause:
    """One media range of an Accept header."""

    media: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The form agreed on: a media type, and what objects are turned into ('' for themselves)."""

    media: str = JSON_TYPE
    transform: str = ""
    version: str = "v1"

    @property
    def content_type(self) -> str:
        return self.media


@lru_cache(maxsize=512)
def read_accept(header: str) -> tuple[Clause, ...]:
    """The clauses of an Accept header, the preferred first. None at all means anything goes."""
    rated: list[tuple[float, int, Clause]] = []
    for place, text in enumerate(header.split(",")):
        media, *settings = (piece.strip() for piece in text.split(";"))
        if not media:
            continue
        params = {key.strip(): value.strip() for key, _, value in (setting.partition("=") for setting in settings)}
        try:
            quality = float(params.pop("q", "1"))
        except ValueError:
            quality = 1.0
        rated.append((-quality, place, Clause(media.lower(), params)))
    return tuple(clause for _, _, clause in sorted(rated, key=lambda entry: entry[:2])) or (Clause("*/*", {}),)


@lru_cache(maxsize=512)
def _negotiate(header: str) -> Wanted | None:
    for clause in read_accept(header):
        media = _media(clause.media)
        if not media:
            continue
        transform = clause.params.get("as", "")
        if not transform:
            return Wanted(media)
        version = clause.params.get("v", "")
        if transform in _TRANSFORMS and clause.params.get("g") == "meta.k8s.io" and version in _META_VERSIONS:
            return Wanted(media, transform, version)
    return None


def _media(media: str) -> str:
    if media in ("*/*", "application/*", JSON_TYPE):
        return JSON_TYPE
    return YAML_TYPE if media == YAML_TYPE else ""


def negotiate(header: str) -> Wanted:
    """What an Accept header asks of a resource. Raises 406 where nothing in it can be served."""
    wanted = _negotiate(header)
    if wanted is None:
        raise errors.not_acceptable(MEDIA_TYPES)
    return wanted


def is_pretty(query: Mapping[str, str], user_agent: str) -> bool:
    """`?pretty=` decides; without it, a person reading with curl or a browser gets indented text."""
    asked = query.get("pretty")
    if asked is not None:
        return asked not in ("0", "false", "False", "f")
    return user_agent.startswith(_PRETTY_AGENTS)


def encode(body: Any, media: str = JSON_TYPE, pretty: bool = False) -> bytes:
    """An object in the agreed form."""
    if media == YAML_TYPE:
        text: str = yaml.dump(body, Dumper=_YAML_DUMPER, default_flow_style=False, allow_unicode=True)
        return text.encode()
    if pretty:
        return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)


def compress(data: bytes) -> bytes:
    """What is large goes gzipped to who asked for it; quickly rather than well, as a real server does."""
    return gzip.compress(data, compresslevel=1, mtime=0)


def body_type(header: str, verb: str) -> str:
    """The media type of a request's body, '' standing for JSON. Raises 415 for one that is not understood."""
    media = header.partition(";")[0].strip().lower()
    if verb == "patch":
        if media not in PATCH_TYPES:
            raise errors.unsupported_media_type(_ACCEPTED_PATCHES)
        return media
    if not media or media in ("*/*", "application/x-www-form-urlencoded"):
        return JSON_TYPE  # curl -d says form data whatever it sends; a real server lets it pass as JSON
    if media not in BODY_TYPES:
        raise errors.unsupported_media_type(BODY_TYPES)
    return media


def decode(data: bytes, media: str, kind: str) -> Any:
    """A body parsed; None for an empty one. Raises 400 in the real server's words."""
    if not data:
        return None
    if media == PROTOBUF_TYPE:
        try:
            return protobuf.decode(data)
        except protobuf.ProtobufError as error:
            raise errors.bad_request(
                f"the object provided is unrecognized (must be of type {kind}): {error} ({_summary(data)})"
            ) from None
    if media in (YAML_TYPE, "application/apply-patch+yaml"):
        return _decode_yaml(data, kind, media)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _malformed(data, f"json parse error: {_go_words(error, data)}", kind, media) from None


def _decode_yaml(data: bytes, kind: str, media: str) -> Any:
    if data[:1] == b"{":  # JSON is YAML, and orjson is a hundred times as fast at it
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            pass
    try:
        return _as_json(yaml.load(data, Loader=_Loader), count())  # noqa: S506 (a safe loader, see above)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())
        raise _malformed(data, f"yaml parse error: {why}", kind, media) from None


def _as_json(value: Any, counter: Iterator[int], depth: int = 0) -> Any:
    """What YAML knows and JSON does not: bytes become text, keys become strings."""
    if depth > 1000:
        raise ValueError("exceeded max depth")
    if next(counter) > MOST_YAML_VALUES:
        raise ValueError("document contains excessive aliasing")
    if isinstance(value, dict):
        return {_key(key): _as_json(below, counter, depth + 1) for key, below in value.items()}
    if isinstance(value, list):
        return [_as_json(below, counter, depth + 1) for below in value]
    if isinstance(value, int) and value.bit_length() > 63 and not 0 < value < 1 << 64:
        value = float(value) if value.bit_length() < 1024 else math.inf  # as the JSON reader takes it
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("json: unsupported value")  # nothing that could be written out again
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def _malformed(data: bytes, why: str, kind: str, media: str) -> errors.ApiError:
    """apiserver/pkg/endpoints/handlers/rest.go transformDecodeError; for patches, patch.go."""
    if media in PATCH_TYPES:
        return errors.bad_request(f"error decoding patch: {why.removeprefix('json parse error: ')}")
    text = f"couldn't get version/kind; {why}"
    return errors.bad_request(
        f"the object provided is unrecognized (must be of type {kind}): {text} ({_summary(data)})"
    )


def _summary(data: bytes, most: int = 30) -> str:
    """rest.go summarizeData: text where it looks like JSON, else hexadecimal."""
    if data[:1] == b"{":
        shown = data[:most].decode("utf-8", "replace")
        return f"{shown} ..." if len(data) > most else shown
    shown = data[:most].hex()
    return f"{shown} ..." if len(data) > most else shown


def _go_words(error: orjson.JSONDecodeError, data: bytes) -> str:
    """What Go's encoding/json says of the same mistake, as far as its place tells."""
    text = data.decode("utf-8", "replace")
    place = error.pos
    if place >= len(text) or error.msg.startswith("unexpected end"):
        return "unexpected end of JSON input"
    character = text[place]
    quoted = "'\\''" if character == "'" else f"'{character}'" if character.isprintable() else repr(character)
    if "trailing" in error.msg or "unexpected content" in error.msg:
        return f"invalid character {quoted} after top-level value"
    if "key" in error.msg:
        return f"invalid character {quoted} looking for beginning of object key string"
    return f"invalid character {quoted} looking for beginning of value"


def partial_metadata(obj: Json, version: str) -> Json:
    """One object's metadata alone (meta/v1 PartialObjectMetadata)."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": obj.get("metadata") or {},
    }


def partial_metadata_list(found: Json, version: str) -> Json:
    """A list's metadata and its items' metadata (meta/v1 PartialObjectMetadataList)."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": found.get("metadata") or {},
        "items": [partial_metadata(item, version) for item in found.get("items") or []],
    }
