"""What the server needs to know its clients and be known by them, kept in one folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from k8sdiag.clock import Clock
from k8sdiag.minicluster.apiserver.authentication import StaticTokens
from k8sdiag.minicluster.apiserver.certificates import Authority, KeyPair, load_authority, load_server_pair
from k8sdiag.minicluster.apiserver.tokens import TokenSigner, load_key


@dataclass(frozen=True, slots=True)
class Security:
    """Authority, server certificate, token signing and tokens that were handed out."""

    folder: Path
    authority: Authority
    pair: KeyPair
    signer: TokenSigner
    tokens: StaticTokens


def load_security(folder: Path, clock: Clock, random: Random, hosts: Iterable[str] = ()) -> Security:
    """Read the folder, and make what is not there yet or has expired. Certificates are for this machine's time."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = load_authority(folder)
    pair = load_server_pair(folder, authority, clock.now(), hosts)
    signer = TokenSigner(load_key(folder / "service-account.key"), clock, random)
    return Security(folder, authority, pair, signer, StaticTokens(folder / "tokens.json"))
