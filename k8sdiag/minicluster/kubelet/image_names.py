"""Whether an image's name can be read, with the words of a kubelet where not (distribution/reference,
pkg/util/parsers)."""

from __future__ import annotations

from k8sdiag.patterns import regex

_TAG = regex(r"[\w][\w.-]{0,127}")
_DIGEST = regex(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = regex(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = regex(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_HEX = regex(r"[a-f0-9]{64}")


def split_domain(name: str) -> tuple[str, str]:
    """The registry and the rest (splitDockerDomain)."""
    first, slash, rest = name.partition("/")
    if not slash or ("." not in first and ":" not in first and first != "localhost" and first.lower() == first):
        domain, rest = "docker.io", name
    else:
        domain = "docker.io" if first == "index.docker.io" else first
    if domain == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    return domain, rest


def error_of(image: str) -> str:
    """Why the name is none; '' for one that is."""
    if _HEX.fullmatch(image):
        return f"invalid repository name ({image}), cannot specify 64-byte hexadecimal strings"
    domain, rest = split_domain(image)
    name, at, digest = rest.partition("@")
    path, colon, tag = name.partition(":")
    if path.lower() != path:
        return f"invalid reference format: repository name ({path}) must be lowercase"
    well = bool(_DOMAIN.fullmatch(domain) and _PATH.fullmatch(path))
    well = well and bool(not colon or _TAG.fullmatch(tag)) and bool(not at or _DIGEST.fullmatch(digest))
    return "" if well else "invalid reference format"
