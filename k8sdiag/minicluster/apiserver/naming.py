"""Names and uids that the server makes up (apiserver/pkg/storage/names/generate.go, apimachinery/pkg/util/rand)."""

from __future__ import annotations

from random import Random
from uuid import UUID

# No vowels and no look-alikes, so that no word comes out.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX = 5
_LONGEST = 63


def generate_name(prefix: str, random: Random) -> str:
    """`web-` to `web-x7k2p`; a prefix that would make it too long for a name is cut."""
    return prefix[: _LONGEST - _SUFFIX] + "".join(random.choices(_ALPHABET, k=_SUFFIX))


def generate_uid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))
