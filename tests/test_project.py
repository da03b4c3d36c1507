"""The project itself: what a wheel holds, that an installed copy works, and that lists kept twice agree."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = {"k8sdiag": "k8sdiag.cli:main", "kubectl-diag": "k8sdiag.cli:main"}
SHIPPED = ("playbooks", "recordings")


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a command prints; its words on stderr are in the complaint when it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_the_package() -> set[str]:
    """Where the checkout's files stand once installed."""
    paths = [path for folder in ("k8sdiag", *SHIPPED) for path in (ROOT / folder).rglob("*") if path.is_file()]
    names = {path.relative_to(ROOT).as_posix() for path in paths if "__pycache__" not in path.parts}
    return {name if name.startswith("k8sdiag/") else f"k8sdiag/{name}" for name in names}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    [built] = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_a_wheel_holds_the_package_and_all_playbooks_and_recordings(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert in_the_package() - held == set(), "in the checkout, but not in the wheel"
    assert {name.split("/")[0] for name in held} == {"k8sdiag"}, "a wheel installs one top-level package"


@pytest.mark.slow
def test_a_wheel_has_both_commands_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [entry_points] = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        text = archive.read(entry_points).decode()
        assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())
    assert dict(re.findall(r"^(\S+) = (\S+)$", text, re.MULTILINE)) == SCRIPTS


@pytest.mark.slow
def test_an_installed_wheel_has_it_all_beside_the_package(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", tmp_path / "site", wheel)
    code = "import sys; sys.path.insert(0, 'site'); import k8sdiag; print(k8sdiag.__version__, k8sdiag.__file__)"
    version, file = run(sys.executable, "-c", code, cwd=tmp_path).split()
    assert f"-{version}-" in wheel.name
    site = Path(file).parent.parent
    assert site.is_relative_to(tmp_path)
    assert [name for name in in_the_package() if not (site / name).is_file()] == []


@pytest.mark.slow
def test_an_installed_copy_parses_no_yaml_to_start(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", tmp_path / "site", wheel)
    code = (
        "import sys; sys.path.insert(0, 'site'); sys.modules['yaml'] = None; from k8sdiag import playbook;"
        "print(playbook.__file__, len(playbook.load()))"
    )
    file, count = run(sys.executable, "-c", code, cwd=tmp_path).split()
    assert Path(file).is_relative_to(tmp_path)
    assert int(count) == len(list((ROOT / "playbooks").glob("*/*.yaml")))


def test_both_commands_are_declared() -> None:
    assert pyproject()["project"]["scripts"] == SCRIPTS


def test_every_lint_rule_left_out_has_its_reason_beside_it() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition("\nignore = [\n")[2].partition("\n[tool.ruff.lint.mccabe]")[0]
    left_out = re.findall(r'^ +"[A-Z]+\d*",.*$', section, re.MULTILINE)
    assert len(left_out) > 10
    assert [line for line in left_out if not re.search(r" # \S+ \S+", line)] == []


def test_every_make_target_is_in_its_help() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    [phony] = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert set(re.findall(r"^([a-z]+):.*## ", text, re.MULTILINE)) == set(phony.split())


@pytest.mark.parametrize("script", ["tools/setup.sh", ".ci/run"])
def test_a_script_is_executable_and_parses(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    shell = path.read_text(encoding="utf-8").partition("\n")[0].rpartition("/")[2].split()[-1]
    run(shell, "-n", path)
