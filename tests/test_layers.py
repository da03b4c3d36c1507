"""The architecture as data, and the judge of it: who may import whom, where each outside package lives, what time is.

`complaints` reads one module's source and answers with sentences; the tree must yield none, made-up bad modules must.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "k8sdiag"

# A module imports only from lower layers; in a chain also from those named before it.
LAYERS: tuple[tuple[str, ...], ...] = (
    # what things are, and how to read a value
    (
        *(
            "clock",
            "patterns",
            "quantity",
            "columns",
            "harmless",
            "nearness",
            "needles",
            "kinds",
            "selectors",
            "evidence",
            "finding",
            "podstate",
        ),
        *("references", "endings", "lastwords", "servicefault", "pull_errors", "journal_words"),
    ),
    # how things relate, are reached and are written down
    (
        *("target", "match", "redact", "relations", "placement", "wording", "timeline"),
        *("archive", "journal_export", "yaml_lines"),
    ),
    # one plugin a file, and what holds their evidence
    ("collectors", "facts", "recording", "status"),
    ("collect", "playbook", "actions", "render"),
    # from facts and playbooks to the answer
    ("engine", "pasted", "report", "diagnose", "scan"),
    # where evidence comes from when it is not a recording
    ("live", "minicluster"),
    ("tui",),
    ("cli",),
    ("__main__",),
)

CHAINS = (0, 4)

# Folders whose files do not know each other, with the few that are there for their siblings to share.
ISLANDS: dict[str, tuple[str, ...]] = {
    "collectors": (),
    "facts": (),
    "actions": (),
    "render": (),
    "cli": ("options", "refusal", "sources", "subjects", "answers", "manifests", "faults"),
}

# Where each outside package may be imported; a folder stands for all in it.
HOMES: dict[str, tuple[str, ...]] = {
    "aiohttp": ("minicluster",),
    "cryptography": ("minicluster",),
    "docker": ("minicluster",),
    "kubernetes": ("live",),
    "orjson": ("recording", "playbook", "render.json", "live", "minicluster", "cli"),
    "rich": ("render.text", "tui", "cli"),
    "systemd": ("live",),
    "textual": ("tui",),
    "trustme": ("minicluster",),
    "typer": ("cli",),
    "urllib3": ("live",),  # comes with kubernetes
    "yaml": ("recording", "playbook", "yaml_lines", "render.yaml", "live", "minicluster", "cli.manifests"),
}

MOST_LINES = 400
EMPTY_WORDS = frozenset("util utils helper helpers manager managers common misc".split())
WALL_CLOCK = frozenset(
    "time.time time.time_ns time.sleep datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today"
    " datetime.date.today".split()
)
STOPWATCH = frozenset("time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns".split())
STOPWATCH_HOMES = ("clock", "collect", "live")

HEAVY = ("kubernetes", "textual", "aiohttp")  # half a second and more to import: not before they are needed


@dataclass(frozen=True, slots=True)
class Module:
    """One file under k8sdiag/: its name below the package (`facts.pods`; a folder's `__init__` is `facts`)."""

    name: str
    source: str
    is_folder: bool = False

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


def modules() -> list[Module]:
    return [_module(path) for path in sorted(PACKAGE.rglob("*.py"))]


def _module(path: Path) -> Module:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    is_folder = parts[-1] == "__init__"
    return Module(".".join(parts[:-1] if is_folder else parts), path.read_text(encoding="utf-8"), is_folder)


def complaints(module: Module, known: frozenset[str]) -> list[str]:
    """What is wrong with a module, one sentence each. `known` are the names of all modules there are."""
    tree = ast.parse(module.source)
    found = [*_name_complaints(module), *_size_complaints(module), *_clock_complaints(module, tree)]
    for line, target in _imports(module, tree, known):
        outside, _, inside = target.partition(".")
        complaint = _inner(module, inside) if outside == "k8sdiag" else _outer(module, outside)
        if complaint:
            found.append(f"k8sdiag.{module.name}:{line} {complaint}")
    return list(dict.fromkeys(found))


def _imports(module: Module, tree: ast.Module, known: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Every import, wherever it stands (also in functions and under TYPE_CHECKING), as line and absolute name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield node.lineno, whole if whole.removeprefix("k8sdiag.") in known else base


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    here = ["k8sdiag", *filter(None, module.name.split("."))]
    up = node.level - 1 if module.is_folder else node.level
    return ".".join([*here[: len(here) - up], *([node.module] if node.module else [])])


def _rank(top: str) -> tuple[int, int] | None:
    for layer, names in enumerate(LAYERS):
        if top in names:
            return layer, names.index(top) if layer in CHAINS else 0
    return None


def _inner(module: Module, target: str) -> str | None:
    """A complaint about an import of our own, if there is one to make."""
    top = target.partition(".")[0]
    if not top:  # the package itself holds nothing but the version
        return None
    if top == module.top:
        return _sibling(module, target)
    own, other = _rank(module.top), _rank(top)
    if not module.name:
        return f"the package's own __init__ imports {target}; it imports nothing"
    if own is None or other is None:
        return None if own is None else f"imports {target}: '{top}' is in no layer; add it to LAYERS in {__name__}"
    if other < own:
        return None
    return f"(layer {own[0]}) imports {target} (layer {other[0]}): imports point down only"


def _sibling(module: Module, target: str) -> str | None:
    folder = module.top
    if folder not in ISLANDS or folder in (module.name, target):
        return None
    own, other = module.name.split(".")[1], target.split(".")[1]
    if own == other or other in ISLANDS[folder]:
        return None
    return f"imports its sibling {target}: files in {folder}/ do not know each other"


def _outer(module: Module, package: str) -> str | None:
    """A complaint about an import of somebody else's package, if there is one to make."""
    if package in sys.stdlib_module_names:
        return None
    homes = HOMES.get(package)
    if homes is None:
        return f"imports {package}, which has no home; add it to HOMES in {__name__}, or do without"
    if any(f"{module.name}.".startswith(f"{home}.") for home in homes):
        return None
    return f"imports {package}, whose home is {', '.join(homes)}"


def _name_complaints(module: Module) -> Iterator[str]:
    if module.name and _rank(module.top) is None:
        yield f"k8sdiag.{module.name} is in no layer: add '{module.top}' to LAYERS in {__name__}, as low as it can be"
    empty = EMPTY_WORDS.intersection(re.split(r"[._]", module.name))
    if empty:
        yield f"k8sdiag.{module.name}: '{min(empty)}' says nothing; name a file for what it is about"


def _size_complaints(module: Module) -> Iterator[str]:
    lines = len(module.source.splitlines())
    if lines > MOST_LINES:
        yield f"k8sdiag.{module.name} has {lines} lines, more than {MOST_LINES}: split it by noun"


def _clock_complaints(module: Module, tree: ast.Module) -> Iterator[str]:
    if module.name == "clock":
        return
    aliases = _aliases(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        used = _dotted(node, aliases)
        if used in WALL_CLOCK:
            yield f"k8sdiag.{module.name}:{node.lineno} uses {used}: time is an argument, only clock.py looks at it"
        elif used in STOPWATCH and module.top not in STOPWATCH_HOMES:
            yield f"k8sdiag.{module.name}:{node.lineno} uses {used}: stopwatches run in {', '.join(STOPWATCH_HOMES)}"


def _aliases(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: `from datetime import datetime as dt` makes dt `datetime.datetime`."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.name if alias.asname else alias.name.partition(".")[0]
                found[alias.asname or bound] = bound
        elif isinstance(node, ast.ImportFrom):
            found.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return found


def _dotted(node: ast.expr, aliases: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return aliases.get(node.id, "")
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, aliases)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


KNOWN = frozenset(module.name for module in modules())


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name or "k8sdiag")
def test_a_module_keeps_to_the_architecture(module: Module) -> None:
    assert complaints(module, KNOWN) == []


def test_the_tables_are_in_order() -> None:
    names = [name for layer in LAYERS for name in layer]
    assert len(names) == len(set(names)), "a module is in one layer only"
    homes = {home.partition(".")[0] for places in HOMES.values() for home in places}
    assert homes | set(ISLANDS) <= set(names), "HOMES and ISLANDS speak of modules that LAYERS knows"


@pytest.mark.parametrize(
    ("name", "source", "complaint"),
    [
        ("facts.bad", "from k8sdiag.diagnose import diagnose", r"\(layer 2\) imports diagnose \(layer 4\)"),
        ("facts.bad", "def f():\n    import k8sdiag.cli.options", r":2 \(layer 2\) imports cli.options \(layer 7\)"),
        ("facts.bad", "from ..cli import main", r"imports cli \(layer 7\)"),
        ("facts.bad", "from k8sdiag import tui", r"imports tui \(layer 6\)"),
        ("match", "from k8sdiag.target import Target", r"imports target \(layer 1\)"),
        ("evidence", "from k8sdiag.finding import Fix", r"imports finding \(layer 0\)"),
        ("engine", "from k8sdiag.diagnose import diagnose", r"imports diagnose \(layer 4\)"),
        ("live.api", "from k8sdiag.minicluster import MiniCluster", r"imports minicluster \(layer 5\)"),
        ("facts.bad", "from k8sdiag.facts.pods import x", "imports its sibling facts.pods"),
        ("facts.bad", "from k8sdiag.facts import pods", "imports its sibling facts.pods"),
        ("facts.bad", "from .pods import x", "imports its sibling facts.pods"),
        ("facts.bad", "from . import pods", "imports its sibling facts.pods"),
        ("cli.check", "from k8sdiag.cli.scan import x", "imports its sibling cli.scan"),
        ("", "from k8sdiag.evidence import Ref", "the package's own __init__ imports evidence"),
        ("match", "from k8sdiag.novelty import x", "'novelty' is in no layer; add it to LAYERS"),
        ("novelty", "", "k8sdiag.novelty is in no layer: add 'novelty' to LAYERS"),
        ("facts.pods", "import kubernetes", "imports kubernetes, whose home is live"),
        ("render.html", "from rich.console import Console", "imports rich, whose home is render.text, tui, cli"),
        ("livestock", "import kubernetes", "imports kubernetes, whose home is live"),
        ("match", "import numpy as np", "imports numpy, which has no home"),
        ("facts.pod_utils", "", "'utils' says nothing"),
        ("render.common.table", "", "'common' says nothing"),
        ("match", "x = 1\n" * 401, "has 401 lines, more than 400"),
        ("match", "import time\ntime.sleep(1)", ":2 uses time.sleep"),
        ("match", "import time as t\nx = t.time", ":2 uses time.time"),
        ("match", "from time import time as now\nnow()", ":2 uses time.time"),
        ("match", "from datetime import datetime as dt\ndt.now(tz)", ":2 uses datetime.datetime.now"),
        ("match", "import datetime\ndatetime.date.today()", ":2 uses datetime.date.today"),
        ("match", "import time\ntime.monotonic()", ":2 uses time.monotonic"),
    ],
)
def test_a_bad_module_is_complained_about(name: str, source: str, complaint: str) -> None:
    known = KNOWN | {"facts.pods", "tui", "cli.scan"}
    assert any(re.search(complaint, text) for text in complaints(Module(name, source), known))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("facts.good", "from k8sdiag.facts import Fact\nfrom k8sdiag import __version__, evidence\nimport re"),
        ("facts.good.one", "from k8sdiag.facts.good.two import x"),
        ("selectors", "from k8sdiag.quantity import parse_quantity"),
        ("diagnose", "from k8sdiag.engine import matches"),
        ("cli.check", "from k8sdiag.cli.options import Source\nimport typer"),
        ("live.api", "import time\nfrom kubernetes import config\ntime.monotonic()"),
        ("collect", "from time import monotonic\nmonotonic()"),
        ("clock", "import time\ntime.time()"),
        ("facts.good", "time = snapshot.time\ntime.time()"),
    ],
)
def test_a_good_module_is_not(name: str, source: str) -> None:
    assert complaints(Module(name, source), KNOWN | {"facts.good.two"}) == []


def test_a_folder_may_import_what_is_in_it() -> None:
    source = "from k8sdiag.render import text\nfrom . import json\nfrom .. import evidence"
    folder = Module("render", source, is_folder=True)
    assert complaints(folder, KNOWN | {"render.text", "render.json"}) == []


def there_is(name: str) -> bool:
    """Some names are kept for what is to come."""
    return (PACKAGE / f"{name}.py").is_file() or (PACKAGE / name).is_dir()


def test_the_page_on_architecture_shows_this_table(update: bool) -> None:
    rows = []
    for layer, names in enumerate(LAYERS):
        link = " < " if layer in CHAINS else " "
        rows.append(f"| {layer} | {link.join(f'`{name}`' for name in names if there_is(name)) or 'to come'} |")
    table = "\n".join(["| layer | modules |", "|---|---|", *rows])
    path = ROOT / "ARCHITECTURE.md"
    page = path.read_text(encoding="utf-8")
    if update:
        head, tail = page.partition("<!-- layers -->\n")[0], page.partition("\n<!-- /layers -->")[2]
        page = f"{head}<!-- layers -->\n{table}\n<!-- /layers -->{tail}"
        path.write_text(page, encoding="utf-8")
    assert page.partition("<!-- layers -->\n")[2].partition("\n<!-- /layers -->")[0] == table


@pytest.mark.skipif("cli" not in {module.top for module in modules()}, reason="there is no command line yet")
def test_starting_up_imports_nothing_heavy() -> None:
    code = f"import sys, k8sdiag.cli; print(*sorted(set({HEAVY!r}).intersection(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", [])
