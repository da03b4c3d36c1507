"""`k8sdiag lab faults`, `inject`, `heal` and `run`: trouble on order."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from k8sdiag.cli.options import FailOn, Output, Playbooks
from k8sdiag.cli.refusal import CouldNotLook

if TYPE_CHECKING:
    from k8sdiag.cli.sources import Source
    from k8sdiag.minicluster.faults.staging import Staged
    from k8sdiag.minicluster.faults.through_kubectl import ThroughKubectl
    from k8sdiag.minicluster.faults.written import Fault

Group = Annotated[str, typer.Option(metavar="GROUP", help="Only this group.")]
ToContext = Annotated[str, typer.Option("--context", metavar="NAME", help="A cluster of your kubeconfig.")]
ToKubeconfig = Annotated[str, typer.Option("--kubeconfig", metavar="FILE", help="A kubeconfig other than the lab's.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def complete_fault(incomplete: str) -> list[str]:
    """Shell completion of FAULT."""
    from k8sdiag.minicluster.faults.written import files

    return [file.stem for file in files() if file.stem.startswith(incomplete)]


FaultName = Annotated[
    str, typer.Argument(metavar="FAULT", help="One of `k8sdiag lab faults`.", autocompletion=complete_fault)
]
SomeFault = Annotated[
    str,
    typer.Argument(
        metavar="[FAULT]",
        help="One of `k8sdiag lab faults`; for run also the folder of a recording.",
        autocompletion=complete_fault,
    ),
]


def faults(group: Group = "") -> None:
    """List the faults that can be caused, by group: id, what is wrong, and the rule expected to name it where it has
    another name.

    Examples:

      k8sdiag lab faults

      k8sdiag lab faults --group storage
    """
    with _read_well():
        from k8sdiag.minicluster.faults.written import library

        found = [fault for fault in library().values() if group in ("", fault.group)]
        groups = dict.fromkeys(fault.group for fault in library().values())
    if not found:
        raise typer.BadParameter(f"{group!r} is none of {', '.join(groups)}", param_hint="--group")
    width = max(len(fault.id) for fault in found)
    for name in dict.fromkeys(fault.group for fault in found):
        print(f"{name}:")
        for fault in found:
            if fault.group == name:
                rule = "" if fault.expects == fault.id else f" ({fault.expects})"
                print(f"  {fault.id:<{width}}  {fault.title}{rule}")


def inject(
    fault: FaultName,
    namespace: Annotated[str, typer.Option("--namespace", "-n", metavar="NAME", help="By default the fault's.")] = "",
    context: ToContext = "",
    kubeconfig: ToKubeconfig = "",
    yes: Yes = False,
) -> None:
    """Cause a fault in the running lab, or in any cluster (kind, k3d, minikube ...), through kubectl.

    Examples:

      k8sdiag lab inject untolerated-taint

      k8sdiag lab inject quota-exceeded --context kind-kind -n trial
    """
    from k8sdiag.minicluster.faults import injection
    from k8sdiag.minicluster.faults.verbs import RefusedError

    wanted = _find(fault)
    why = injection.obstacles(wanted, simulated=not (context or kubeconfig))
    if why:
        raise CouldNotLook(f"{fault} cannot be injected: {'; '.join(why)}; `k8sdiag lab run {fault}` can cause it")
    door, elsewhere = _door(context, kubeconfig)
    space = namespace or wanted.namespace
    if elsewhere and not yes:
        print(f"in {elsewhere}:")
        for line in injection.plan(wanted, space):
            print(f"  {line}")
        if not sys.stdin.isatty():
            raise CouldNotLook("nobody is there to say yes: use --yes")
        typer.confirm("Shall it be?", abort=True)
    try:
        injection.inject(door, wanted, space, lambda line: print(line, file=sys.stderr))
    except RefusedError as refused:
        raise CouldNotLook(str(refused)) from None
    flags = _flags(context, kubeconfig)
    print(f"{fault}: {wanted.title}")
    print(f"  k8sdiag check {wanted.subject} -n {space}{flags or ' --lab'}")
    print(f"  k8sdiag lab heal {fault}{flags}")


def heal(fault: SomeFault = "", context: ToContext = "", kubeconfig: ToKubeconfig = "") -> None:
    """Take away what `inject` made: of one fault, or of all.

    Examples:

      k8sdiag lab heal

      k8sdiag lab heal quota-exceeded --context kind-kind
    """
    from k8sdiag.minicluster.faults import injection
    from k8sdiag.minicluster.faults.verbs import RefusedError
    from k8sdiag.minicluster.faults.written import library

    with _read_well():
        wanted = [_find(fault)] if fault else list(library().values())
    door, _ = _door(context, kubeconfig)
    try:
        count = injection.heal(door, wanted, fault, print)
    except RefusedError as refused:
        raise CouldNotLook(str(refused)) from None
    if not count:
        print("there was nothing to heal")


def run(
    fault: SomeFault = "",
    everything: Annotated[bool, typer.Option("--all", help="All faults, a line each.")] = False,
    filename: Annotated[
        Path | None, typer.Option("--filename", "-f", metavar="FILE", help="Run this manifest instead of a fault.")
    ] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", metavar="NAME", help="Where to run it.")] = "",
    seconds: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long it goes on, as 200s.")] = "",
    nodes: Annotated[int | None, typer.Option(metavar="N", min=0, max=1000, help="How many nodes.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Chance: the same seed, the same recording.")] = 1,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="DIR", help="Write a recording into this new folder.")
    ] = None,
    output: Output = "text",
    fail_on: FailOn = "error",
    playbooks: Playbooks = None,
) -> None:
    """Run a fault, a manifest or a recorded incident in a fresh lab whose time is stepped, and diagnose it.

    The lab is in this process and gone afterwards; its clock starts at 2026-01-05T08:00:00Z. A recorded incident is
    enacted again from the reenact.yaml beside it, else from its manifest.yaml.

    Examples:

      k8sdiag lab run preempted-and-pending

      k8sdiag lab run --all

      k8sdiag lab run -f web.yaml --for 200s --record web-recording
    """
    if bool(fault) + everything + bool(filename) != 1:
        raise typer.BadParameter("name a fault or a recording, or give --all, or a manifest with -f")
    _need_packages()
    if everything:
        raise typer.Exit(_run_all(seed, playbooks))
    with _read_well():
        wanted = _manifest(filename, namespace) if filename else _wanted(fault)
        wanted = _shaped(wanted, namespace, seconds, nodes)
    staged = _stage(wanted, seed)
    for refusal in staged.refusals:
        print(f"k8sdiag: the API server refused: {refusal}", file=sys.stderr)
    if record is None:
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="k8sdiag-lab-") as folder:
            raise typer.Exit(_diagnose(staged, Path(folder) / wanted.id, output, fail_on, playbooks))
    if record.exists():
        raise CouldNotLook(f"{record} is there already: --record makes a new folder")
    if wanted.subject:
        raise typer.Exit(_diagnose(staged, record, output, fail_on, playbooks))
    write(staged, record)
    print(f"recorded: k8sdiag scan -n {wanted.namespace} --from {record}")


def write(staged: Staged, folder: Path) -> None:
    """What happened, as a recording in a new folder."""
    from k8sdiag.recording import save

    fault = staged.fault
    try:
        save(
            folder,
            staged.tape.changes,
            at=staged.now,
            title=fault.title or fault.id,
            kinds=staged.tape.kinds(),
            logs=staged.logs(),
            journal=staged.tape.journal(),
        )
    except OSError as problem:
        raise CouldNotLook(f"{folder}: cannot be written: {problem.strerror}") from None


def _diagnose(staged: Staged, folder: Path, output: str, fail_on: str, playbooks: list[Path] | None) -> int:
    from k8sdiag.cli.sources import Source

    write(staged, folder)
    if staged.fault.subject:
        from k8sdiag.cli.subjects import answer

        source, kind, name = _subject(staged.fault, folder)
        return answer([(source, kind, name)], output, fail_on, playbooks)
    from k8sdiag.cli.answers import exit_code, show
    from k8sdiag.cli.sources import load_playbooks, look_wide
    from k8sdiag.scan import scan

    snapshot, namespace = look_wide(Source(folder, namespace=staged.fault.namespace), False)
    report = scan(snapshot, namespace, load_playbooks(playbooks or []))
    show(report, output)
    return exit_code(report.findings, fail_on)


def _subject(fault: Fault, folder: Path) -> tuple[Source, str, str]:
    from k8sdiag.cli.sources import Source
    from k8sdiag.evidence import CLUSTER_SCOPED
    from k8sdiag.kinds import parse_kind

    word, _, name = fault.subject.partition("/")
    kind = parse_kind(word)
    if kind is None:
        raise CouldNotLook(f"{fault.id}: {word!r} is no kind that k8sdiag knows")
    return Source(folder, namespace=None if kind.kind in CLUSTER_SCOPED else fault.namespace), kind.kind, name


def rules_of(staged: Staged, folder: Path, playbooks: list[Path] | None = None) -> list[str]:
    """The rules that a diagnosis of a fault's subject names, first to last. Writes the recording."""
    from k8sdiag.cli.sources import load_playbooks, look
    from k8sdiag.diagnose import diagnose

    write(staged, folder)
    snapshot, subject = look(*_subject(staged.fault, folder))
    return [finding.rule for finding in diagnose(snapshot, subject, load_playbooks(playbooks or [])).findings]


def _run_all(seed: int, playbooks: list[Path] | None) -> int:
    from tempfile import TemporaryDirectory

    from k8sdiag.clock import stopwatch
    from k8sdiag.minicluster.faults.written import library

    wrong = 0
    with TemporaryDirectory(prefix="k8sdiag-lab-") as folder, _read_well():
        for fault in library().values():
            begin = stopwatch()
            named = rules_of(_stage(fault, seed), Path(folder) / fault.id, playbooks)
            took = (stopwatch() - begin) * 1000
            right = named[:1] == [fault.expects]
            wrong += not right
            what = "ok" if right else f"{', '.join(named[:2]) or 'nothing'} instead of {fault.expects}"
            print(f"{fault.group}/{fault.id:<34} {took:6.0f} ms  {what}", flush=True)
        print(f"{len(library()) - wrong} of {len(library())} faults are named as expected")
    return int(bool(wrong))


def _stage(fault: Fault, seed: int) -> Staged:
    from k8sdiag.minicluster.faults.staging import stage
    from k8sdiag.minicluster.faults.verbs import RefusedError

    try:
        return stage(fault, seed)
    except RefusedError as refused:
        raise CouldNotLook(str(refused)) from None


def _wanted(word: str) -> Fault:
    """A fault of the library, or the incident of a recording."""
    from k8sdiag.minicluster.faults.reenactment import reenactment

    folder = Path(word)
    if not folder.is_dir():
        return _find(word)
    return reenactment(folder)


def _manifest(file: Path, namespace: str) -> Fault:
    from k8sdiag.minicluster.faults.written import Fault, documents

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "not UTF-8"
        raise CouldNotLook(f"{file}: cannot be read: {why}") from None
    objects = documents(text, str(file))
    if not objects:
        raise CouldNotLook(f"{file}: there is nothing in it")
    named = next((obj["metadata"]["namespace"] for obj in objects if obj["metadata"].get("namespace")), "default")
    return Fault(file.stem if str(file) != "-" else "manifest", namespace=namespace or named, manifest=objects)


def _shaped(fault: Fault, namespace: str, seconds: str, nodes: int | None) -> Fault:
    from k8sdiag.quantity import parse_duration

    long = parse_duration(seconds) if seconds else fault.seconds
    if long is None:
        raise typer.BadParameter(f"{seconds!r} is no duration such as 200s", param_hint="--for")
    changed = replace(fault, seconds=long, namespace=namespace or fault.namespace)
    return changed if nodes is None else replace(changed, nodes=nodes)


@contextmanager
def _read_well() -> Iterator[None]:
    from k8sdiag.minicluster.faults.written import FaultError

    try:
        yield
    except FaultError as problem:
        raise CouldNotLook(str(problem)) from None


def _find(name: str) -> Fault:
    from k8sdiag.minicluster.faults.written import find

    with _read_well():
        try:
            return find(name)
        except KeyError as unknown:
            raise CouldNotLook(f"{unknown.args[0]} (`k8sdiag lab faults` lists them)") from None


def _door(context: str, kubeconfig: str) -> tuple[ThroughKubectl, str]:
    """The cluster to work on, and what it is called where it is not the lab."""
    from shutil import which

    from k8sdiag.minicluster.faults.through_kubectl import ThroughKubectl
    from k8sdiag.minicluster.folder import DEFAULT_NAME, folder

    kubectl = which("kubectl") or which("kubectl", path=str(Path(sys.executable).parent))
    if kubectl is None:
        raise CouldNotLook("this needs kubectl, which is not installed")
    if context or kubeconfig:
        words = [f"--kubeconfig={kubeconfig}"] * bool(kubeconfig) + [f"--context={context}"] * bool(context)
        return ThroughKubectl([kubectl, *words]), context or kubeconfig
    name = os.environ.get("K8SDIAG_LAB") or DEFAULT_NAME
    found = folder(name, os.environ)
    if not found.running():
        raise CouldNotLook(f"the lab {name!r} does not run: `k8sdiag lab up` starts it")
    return ThroughKubectl([kubectl, f"--kubeconfig={found.kubeconfig}"]), ""


def _flags(context: str, kubeconfig: str) -> str:
    return (f" --context {context}" if context else "") + (f" --kubeconfig {kubeconfig}" if kubeconfig else "")


def _need_packages() -> None:
    from importlib.util import find_spec

    if find_spec("aiohttp") is None or find_spec("trustme") is None:
        raise CouldNotLook("the lab needs aiohttp and trustme: pip install 'k8sdiag[lab]'")
