"""Who may know whom inside the mini-cluster: components know the client and the work loop, the API server knows none of
them, and HTTP stays at its edge."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "k8sdiag" / "minicluster"
BASE = "k8sdiag.minicluster"

# What scheduler, controllers and nodes may know of the rest.
FOR_COMPONENTS = (
    *("client", "loop", "kinds", "events", "amounts", "cron", "metrics", "controllers", "tolerations", "nodes.agent"),
    *("apiserver.errors", "apiserver.request", "apiserver.quantities"),
)
# As in Kubernetes: daemon sets ask the scheduler's own filters, and quotas are counted by admission's own figures.
SHARED = {
    "controllers.daemon_placement": ("scheduler",),
    "controllers.resource_quota": ("apiserver.admission.quota_usage",),
    # A kubelet admits pods by the scheduler's filters, registers its node, and alone knows what a runtime is.
    **{
        f"kubelet.{name}": ("scheduler", "nodes", "runtimes.base")
        for name in ("admission", "kubelet", "resize", "fleet")
    },
}
COMPONENTS = ("scheduler", "controllers", "nodes", "kubelet")
RUNTIMES = ("nodes.agent", "nodes.log_lines", "loop", "apiserver.errors")
# Below the handlers: what the storage and the tables of types may know.
LOW = {
    "kinds": (),
    "loop": (),
    "apiserver.errors": ("kinds",),
    "apiserver.request": ("kinds",),
    "apiserver.durable": (),
    "apiserver.storage": ("apiserver.errors", "apiserver.durable", "kinds"),
    "apiserver.schema": ("kinds", "apiserver.typed", "apiserver.gotypes"),
    "apiserver.tables": ("kinds", "apiserver.conversion", "apiserver.printcolumns"),
}
ASYNC_HOMES = (
    *("apiserver.server", "apiserver.http_body", "apiserver.http_protocol", "apiserver.http_responses"),
    *("apiserver.webhook_caller", "apiserver.streams", "apiserver.commits", "hosting", "daemon", "turns"),
)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """The modules of the mini-cluster that a file imports, and outside packages, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}".removeprefix(f"{BASE}.") for alias in node.names}
            found |= {name if name in MODULES else node.module.removeprefix(f"{BASE}.") for name in whole}
    return found


def within(name: str, homes: tuple[str, ...]) -> bool:
    return any(name == home or name.startswith(f"{home}.") for home in homes)


@pytest.mark.parametrize("name", [name for name in MODULES if within(name, COMPONENTS)])
def test_components_know_the_client_and_the_loop(name: str) -> None:
    own = name.partition(".")[0]
    known = {other for other in imports(MODULES[name]) if other in MODULES}
    more = SHARED.get(name, ("runtimes.base",) if own == "kubelet" else ())
    assert not [other for other in known if not within(other, (own, *more, *FOR_COMPONENTS))]


@pytest.mark.parametrize("name", [name for name in MODULES if within(name, ("runtimes",))])
def test_runtimes_know_nothing_of_the_kubelet(name: str) -> None:
    known = {other for other in imports(MODULES[name]) if other in MODULES}
    assert not [other for other in known if not within(other, ("runtimes", *RUNTIMES))]


@pytest.mark.parametrize("name", [name for name in MODULES if within(name, ("apiserver",))])
def test_the_api_server_knows_no_component(name: str) -> None:
    known = {other for other in imports(MODULES[name]) if other in MODULES}
    assert not [other for other in known if within(other, COMPONENTS) and other != "nodes.agent"]


@pytest.mark.parametrize("name", sorted(LOW))
def test_what_is_low_stays_low(name: str) -> None:
    for inner, path in MODULES.items():
        if within(inner, (name,)):
            known = {other for other in imports(path) if other in MODULES and other}
            assert not [other for other in known if not within(other, (name, *LOW[name]))], inner


@pytest.mark.parametrize("name", sorted(MODULES))
def test_http_and_asyncio_stay_at_the_edge(name: str) -> None:
    outside = {other.partition(".")[0] for other in imports(MODULES[name])}
    assert within(name, ASYNC_HOMES) or not outside & {"aiohttp", "asyncio"}


def test_the_law_is_about_modules_that_exist() -> None:
    homes = {*LOW, *ASYNC_HOMES, *COMPONENTS, *FOR_COMPONENTS}
    assert not [home for home in homes if home not in MODULES]
