"""The patterns and formats that schemas of custom resources may ask of a text (kube-openapi/pkg/validation/strfmt)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from urllib.parse import urlsplit

from k8sdiag.clock import parse_time
from k8sdiag.patterns import regex
from k8sdiag.quantity import parse_duration


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> re.Pattern[str] | None:
    """A pattern in Go's dialect, as near as Python comes; None for one that Python cannot compile."""
    try:
        return re.compile(pattern.replace(r"\z", r"\Z"))
    except (re.error, RecursionError, OverflowError):
        return None


def fits_pattern(pattern: str, text: str) -> bool:
    """Does it match anywhere? What cannot be compiled here is let pass: the definition's check complains of it."""
    compiled = compile_pattern(pattern)
    return compiled is None or compiled.search(text) is not None


def fits_format(form: str, text: str) -> bool:
    """Formats that nobody knows are let pass."""
    check = _FORMATS.get(form)
    return check is None or check(text)


def _ip(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version
        except ValueError:
            return False

    return check


def _cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def _base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _uri(text: str) -> bool:
    try:
        found = urlsplit(text)
    except ValueError:
        return False
    return bool(found.scheme) or text.startswith("/")


_EMAIL = regex(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)*")
_HOSTNAME = regex(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9-]{1,63})*\.?")
_MAC = regex(r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?:(?:[:-][0-9A-Fa-f]{2}){2})?")
_UUID = regex(r"[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{12}")

_FORMATS: Mapping[str, Callable[[str], bool]] = {
    "date-time": lambda text: "T" in text.upper() and parse_time(text) is not None,
    "datetime": lambda text: parse_time(text) is not None,
    "date": _date,
    "duration": lambda text: parse_duration(text) is not None,
    "ipv4": _ip(4),
    "ipv6": _ip(6),
    "cidr": _cidr,
    "uri": _uri,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": lambda text: _HOSTNAME.fullmatch(text) is not None,
    "mac": lambda text: _MAC.fullmatch(text) is not None,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
    "byte": _base64,
}
