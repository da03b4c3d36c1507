"""`k8sdiag lab`: a Kubernetes of one process, for reproducing faults, for learning and for tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from k8sdiag.cli import faults
from k8sdiag.cli.refusal import CouldNotLook

if TYPE_CHECKING:
    from k8sdiag.minicluster.folder import Folder

HELP = """A Kubernetes of one process, to break and to learn from.

API server, scheduler, controllers and pretended nodes on this machine, without containers.

Examples:

\b
  k8sdiag lab up                                   start it, in about a second
  export KUBECONFIG=$(k8sdiag lab kubeconfig --path)
  kubectl create deployment web --image=nginx      it takes what kubectl sends
  k8sdiag scan --lab -A                            and k8sdiag looks at it
  k8sdiag lab down                                 stop it; its state is kept
"""

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)


def complete_name(incomplete: str) -> list[str]:
    """Shell completion of --name: the labs that there are."""
    from k8sdiag.minicluster.folder import names

    return [name for name in names(os.environ) if name.startswith(incomplete)]


def check_status_format(value: str) -> str:
    """`text` or `json`, or wrong usage."""
    if value not in ("text", "json"):
        raise typer.BadParameter(f"{value!r} is none of text, json")
    return value


Name = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        envvar="K8SDIAG_LAB",
        help="Which lab, where there are several.",
        show_envvar=True,
        autocompletion=complete_name,
    ),
]
Port = Annotated[
    int | None,
    typer.Option(metavar="PORT", min=1, max=65535, help="The API server's port. By default 16443, or the last."),
]
Bind = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="The address to listen on. By default 127.0.0.1: nobody else can reach it."),
]
Nodes = Annotated[
    int | None, typer.Option(metavar="N", min=0, max=20000, help="How many nodes. By default 3, or as before.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
def up(
    name: Name = "lab",
    port: Port = None,
    bind: Bind = None,
    nodes: Nodes = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay in this terminal; Ctrl-C ends it.")] = False,
) -> None:
    """Start the lab, as it was when it was stopped.

    Examples:

      k8sdiag lab up

      k8sdiag lab up --nodes 10 --port 26443

      k8sdiag lab up --foreground
    """
    from k8sdiag.clock import stopwatch
    from k8sdiag.minicluster.folder import DEFAULT_PORT

    begin, folder = stopwatch(), _folder(name)
    _need_packages()
    if folder.running():
        raise CouldNotLook(
            f"the lab {name!r} runs already at {folder.settings().get('url')}: `k8sdiag lab down{_flag(name)}` stops it"
        )
    last = folder.settings()
    chosen = (
        port or int(last.get("port") or DEFAULT_PORT),
        bind or str(last.get("bind") or "127.0.0.1"),
        nodes if nodes is not None else int(last.get("nodes", 3)),
    )
    try:
        folder.make()
    except OSError as problem:
        raise CouldNotLook(f"the lab's folder {folder.path} cannot be made: {problem.strerror}") from None
    if not _is_loopback(chosen[1]):
        print(
            f"k8sdiag: with --bind {chosen[1]} whoever can reach this machine can reach the lab;"
            " who has its kubeconfig may do everything in it",
            file=sys.stderr,
        )
    if foreground:
        from k8sdiag.minicluster.daemon import run

        def fail(why: str) -> None:
            raise CouldNotLook(why)

        raise typer.Exit(run(folder, *chosen, lambda url: _welcome(folder, url, stopwatch() - begin), fail))
    from k8sdiag.minicluster.launch import LaunchError, launch

    try:
        url = launch(folder, *chosen)
    except LaunchError as problem:
        raise CouldNotLook(str(problem)) from None
    _welcome(folder, url, stopwatch() - begin)


def _is_loopback(address: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _flag(name: str) -> str:
    return "" if name == "lab" else f" --name {name}"


def _welcome(folder: Folder, url: str, seconds: float) -> None:
    flag = _flag(folder.name)
    print(f"Kubernetes v1.33 at {url}, ready in {seconds:.1f} s\n")
    print(f"  export KUBECONFIG=$(k8sdiag lab kubeconfig{flag} --path)")
    print("  kubectl get nodes")
    print(f"  k8sdiag lab down{flag}", flush=True)


@app.command()
def down(name: Name = "lab") -> None:
    """Stop the lab. Its state is kept for the next `lab up`.

    Examples:

      k8sdiag lab down

      k8sdiag lab down --name other
    """
    from k8sdiag.minicluster.launch import LaunchError, stop

    try:
        stopped = stop(_folder(name))
    except LaunchError as problem:
        raise CouldNotLook(str(problem)) from None
    print(f"the lab {name!r} is stopped" if stopped else f"the lab {name!r} does not run")


@app.command()
def status(
    name: Name = "lab",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FORMAT", callback=check_status_format, help="text|json")
    ] = "text",
) -> None:
    """Does the lab run, where, and how is it?

    Exit code 0 if it runs and is ready, else 1.

    Examples:

      k8sdiag lab status

      k8sdiag lab status -o json
    """
    folder = _folder(name)
    found = _status_of(folder)
    if output == "json":
        import orjson

        sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")
    elif not found["running"]:
        kept = "its state is kept" if folder.state.exists() else "it has no state"
        print(f"the lab {name!r} does not run; {kept} ({folder.path})")
    elif not found["ready"]:
        print(f"the lab {name!r} runs (process {found['pid']}), but is not ready: {found['problem']}")
    else:
        print(f"the lab {name!r} runs at {found['url']} (process {found['pid']})")
        for word, count in found["counts"].items():
            print(f"  {word:<11} {count}")
        print(f"  kubeconfig  {folder.kubeconfig}\n  log         {folder.log}")
    raise typer.Exit(0 if found["ready"] else 1)


def _status_of(folder: Folder) -> dict[str, Any]:
    pid = folder.running()
    found: dict[str, Any] = {"name": folder.name, "running": bool(pid), "ready": False, "folder": str(folder.path)}
    if not pid:
        return found
    from k8sdiag.minicluster.remote import Remote, RemoteError

    found |= {"pid": pid, "kubeconfig": str(folder.kubeconfig), "log": str(folder.log)}
    try:
        remote = Remote(folder)
        found["url"] = remote.server
        remote.request("GET", "/readyz")
        lists = {word: remote.request("GET", f"/api/v1/{word}?limit=1") for word in ("nodes", "namespaces", "pods")}
    except (RemoteError, OSError) as problem:
        return {**found, "problem": str(problem)}
    return {**found, "ready": True, "counts": {word: _count(answer) for word, answer in lists.items()}}


def _count(answer: dict[str, Any]) -> int:
    return len(answer["items"]) + int(answer["metadata"].get("remainingItemCount", 0))


@app.command()
def kubeconfig(
    name: Name = "lab",
    path: Annotated[bool, typer.Option("--path", help="Print the path of the file instead of its content.")] = False,
) -> None:
    """Print the kubeconfig of the lab's administrator.

    With --path, print where it is instead.

    Examples:

      k8sdiag lab kubeconfig > admin.yaml

      export KUBECONFIG=$(k8sdiag lab kubeconfig --path)
    """
    folder = _folder(name)
    if not folder.kubeconfig.is_file():
        raise CouldNotLook(f"the lab {name!r} has never run: `k8sdiag lab up{_flag(name)}` starts it")
    print(folder.kubeconfig if path else folder.kubeconfig.read_text(encoding="utf-8"), end="\n" if path else "")


@app.command()
def reset(name: Name = "lab", yes: Yes = False) -> None:
    """Forget everything in the lab. If it runs it is stopped, and started again empty.

    Examples:

      k8sdiag lab reset

      k8sdiag lab reset --name other --yes
    """
    from k8sdiag.minicluster.launch import LaunchError, launch, stop

    folder = _folder(name)
    if not folder.path.is_dir():
        print(f"the lab {name!r} has no state")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise CouldNotLook("nobody is there to say yes: use --yes")
        typer.confirm(f"Forget all objects in the lab {name!r}?", abort=True)
    try:
        ran = stop(folder)
        for file in folder.path.glob("state.db*"):
            file.unlink()
        print(f"the lab {name!r} is empty")
        if ran:
            last = folder.settings()
            url = launch(folder, int(last["port"]), str(last["bind"]), int(last["nodes"]))
            print(f"it runs again at {url}")
    except LaunchError as problem:
        raise CouldNotLook(str(problem)) from None


@app.command()
def user(
    username: Annotated[str, typer.Argument(metavar="NAME", help="What the API server shall call them.")],
    clusterrole: Annotated[
        str, typer.Option(metavar="ROLE", help="cluster-admin, admin, edit, view, or your own.")
    ] = "",
    role: Annotated[str, typer.Option(metavar="ROLE", help="A Role of the namespace instead.")] = "",
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", metavar="NAME", help="Only in this namespace; without it everywhere.")
    ] = "",
    group: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="A group; may be given again.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the kubeconfig there.")
    ] = None,
    name: Name = "lab",
) -> None:
    """Make a kubeconfig for somebody who has only a role's rights.

    Examples:

      k8sdiag lab user jane --clusterrole view > jane.yaml

      k8sdiag lab user ci --clusterrole edit -n shop -o ci.yaml
    """
    if bool(clusterrole) + bool(role) > 1 or (role and not namespace):
        raise typer.BadParameter("give --clusterrole, or --role with --namespace")
    folder = _folder(name)
    if not folder.running():
        raise CouldNotLook(f"the lab {name!r} does not run: `k8sdiag lab up{_flag(name)}` starts it")
    _need_packages()
    from k8sdiag.minicluster.remote import RemoteError
    from k8sdiag.minicluster.users import grant, kubeconfig_for

    try:
        if clusterrole or role:
            grant(folder, username, "ClusterRole" if clusterrole else "Role", clusterrole or role, namespace)
        text = kubeconfig_for(folder, username, group or [], namespace)
    except RemoteError as problem:
        raise CouldNotLook(str(problem)) from None
    if output is None:
        print(text, end="")
        return
    from k8sdiag.minicluster.folder import replace

    replace(output, text.encode())
    print(f"kubectl --kubeconfig {output} auth whoami", file=sys.stderr)


def _folder(name: str) -> Folder:
    from k8sdiag.minicluster.folder import folder

    try:
        return folder(name, os.environ)
    except ValueError as problem:
        raise typer.BadParameter(str(problem)) from None


def _need_packages() -> None:
    from importlib.util import find_spec

    missing = [package for package in ("aiohttp", "trustme") if find_spec(package) is None]
    if missing:
        raise CouldNotLook(f"the lab needs {' and '.join(missing)}: pip install 'k8sdiag[lab]'")


for _command in (faults.faults, faults.inject, faults.heal, faults.run):  # after the lab's own in `lab --help`
    app.command()(_command)
