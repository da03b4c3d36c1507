"""The formats of names, keys and values, with Kubernetes' own words for what is wrong
(apimachinery/pkg/util/validation/validation.go, pkg/api/validation/name.go, path/name.go).

Each check takes a value and gives the complaints about it, none for a good one. Answers are kept: the same few labels
and names come by again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from k8sdiag.patterns import regex

Messages = tuple[str, ...]
Format = Callable[[str], Messages]
_KEPT = 32768

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HEADER = "[-A-Za-z0-9]+"
_PERCENT = "[0-9]+%"
_label, _subdomain, _label_1035, _name = regex(_LABEL), regex(_SUBDOMAIN), regex(_LABEL_1035), regex(_NAME)
_config_key, _header, _percent = regex(_CONFIG_KEY), regex(_HEADER), regex(_PERCENT)
_wildcard = regex(rf"\*\.{_SUBDOMAIN}")
_port_characters = regex("[-a-z0-9]+")
_path = regex(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")
_sysctl = regex(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?")

_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character"
)
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character"
)
_LABEL_1035_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character"
)
_WILDCARD_WORDS = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
)
_NAME_WORDS = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character"
)
_ENVIRONMENT_WORDS = "a valid environment variable name must consist only of printable ASCII characters other than '='"


def _wrong(words: str, pattern: str, *examples: str) -> str:
    """RegexError: the rule, examples, and the expression itself."""
    if not examples:
        return f"{words} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{words} (e.g. {shown}regex used for validation is '{pattern}')"


def longer_than(most: int) -> str:
    return f"must be no more than {most} bytes"


def between(least: int, most: int) -> str:
    return f"must be between {least} and {most}, inclusive"


def _size(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode())


@lru_cache(maxsize=_KEPT)
def dns_label(value: str) -> Messages:
    found = (longer_than(63),) if _size(value) > 63 else ()
    if _label.fullmatch(value):
        return found
    if _subdomain.fullmatch(value):
        return (*found, "must not contain dots")
    return (*found, _wrong(_LABEL_WORDS, _LABEL, "my-name", "123-abc"))


@lru_cache(maxsize=_KEPT)
def dns_subdomain(value: str) -> Messages:
    found = (longer_than(253),) if _size(value) > 253 else ()
    return found if _subdomain.fullmatch(value) else (*found, _wrong(_SUBDOMAIN_WORDS, _SUBDOMAIN, "example.com"))


@lru_cache(maxsize=_KEPT)
def dns_1035_label(value: str) -> Messages:
    found = (longer_than(63),) if _size(value) > 63 else ()
    if _label_1035.fullmatch(value):
        return found
    return (*found, _wrong(_LABEL_1035_WORDS, _LABEL_1035, "my-name", "abc-123"))


def wildcard_subdomain(value: str) -> Messages:
    found = (longer_than(253),) if _size(value) > 253 else ()
    if _wildcard.fullmatch(value):
        return found
    return (*found, _wrong(_WILDCARD_WORDS, rf"\*\.{_SUBDOMAIN}", "*.example.com"))


@lru_cache(maxsize=_KEPT)
def qualified_name(value: str) -> Messages:
    """`name` or `prefix.example.com/name`: label keys, resource names, condition types."""
    prefix, slash, name = value.rpartition("/")
    explained = _wrong(_NAME_WORDS, _NAME, "MyName", "my.name", "123-abc")
    if "/" in prefix:
        return (
            f"a qualified name {explained} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        )
    found: list[str] = []
    if slash and not prefix:
        found.append("prefix part must be non-empty")
    elif slash:
        found += [f"prefix part {message}" for message in dns_subdomain(prefix)]
    if not name:
        found.append("name part must be non-empty")
    elif _size(name) > 63:
        found.append(f"name part {longer_than(63)}")
    if not _name.fullmatch(name):
        found.append(f"name part {explained}")
    return tuple(found)


@lru_cache(maxsize=_KEPT)
def label_value(value: str) -> Messages:
    found = (longer_than(63),) if _size(value) > 63 else ()
    if not value or _name.fullmatch(value):
        return found
    return (*found, _wrong(_VALUE_WORDS, f"({_NAME})?", "MyValue", "my_value", "12345"))


@lru_cache(maxsize=_KEPT)
def config_key(value: str) -> Messages:
    """The keys of ConfigMaps and Secrets, which become file names."""
    found = [longer_than(253)] if _size(value) > 253 else []
    if not _config_key.fullmatch(value):
        words = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        found.append(_wrong(words, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    if value in (".", ".."):
        found.append(f"must not be '{value}'")
    elif value.startswith(".."):
        found.append("must not start with '..'")
    return tuple(found)


@lru_cache(maxsize=_KEPT)
def environment_name(value: str) -> Messages:
    """Since 1.32 nearly anything goes (RelaxedEnvironmentVariableValidation)."""
    return () if value.isascii() and value.isprintable() and "=" not in value else (_ENVIRONMENT_WORDS,)


@lru_cache(maxsize=_KEPT)
def port_name(value: str) -> Messages:
    found = [longer_than(15)] if _size(value) > 15 else []
    if not _port_characters.fullmatch(value):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        found.append("must contain at least one letter (a-z)")
    if "--" in value:
        found.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        found.append("must not begin or end with a hyphen")
    return tuple(found)


def port_number(value: int) -> Messages:
    return () if 1 <= value <= 65535 else (between(1, 65535),)


def identity(value: int) -> Messages:
    """A user's or group's number."""
    return () if 0 <= value <= 0xFFFFFFFF else (between(0, 0xFFFFFFFF),)


def percent(value: str) -> Messages:
    if _percent.fullmatch(value):
        return ()
    words = "a valid percent string must be a numeric string followed by an ending '%'"
    return (_wrong(words, _PERCENT, "1%", "93%"),)


def header_name(value: str) -> Messages:
    if _header.fullmatch(value):
        return ()
    words = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return (_wrong(words, _HEADER, "X-Header-Name"),)


def sysctl(value: str) -> bool:
    return len(value) <= 253 and bool(_sysctl.fullmatch(value))


def http_path(value: str) -> Messages:
    if _path.fullmatch(value):
        return ()
    return (_wrong("Invalid path", r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"),)


@lru_cache(maxsize=_KEPT)
def path_segment(value: str) -> Messages:
    """What can stand in a URL's path: all that is asked of a Role's name."""
    if value in (".", ".."):
        return (f"may not be '{value}'",)
    return tuple(f"may not contain '{part}'" for part in ("/", "%") if part in value)


def parsed_ip(value: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(value)
    except ValueError:
        return None


def ip(value: str) -> Messages:
    return () if parsed_ip(value) else ("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",)


def cidr(value: str) -> Messages:
    try:
        ip_network(value, strict=False)
    except ValueError:
        pass
    else:
        if "/" in value:
            return ()
    return ("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",)


def prefix_of(value: str) -> str:
    """A generateName as its format is checked: what is appended makes a last hyphen a good one (maskTrailingDash)."""
    return f"{value[:-2]}a" if len(value) > 1 and value.endswith("-") else value
