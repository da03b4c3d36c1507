"""Take a Snapshot of a cluster: ask what the collectors say, side by side, each thing once, within a deadline.

Whatever is refused, late or broken becomes a Gap, and an object that is not there is known to be missing; only where
the subject itself cannot be read is there nothing to diagnose, and ApiError is raised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import Self

from k8sdiag.clock import Clock
from k8sdiag.collectors import Ask, Found, Role, all_collectors, listed, named
from k8sdiag.evidence import ContainerLog, Evidence, Gap, JournalEntry, Json, Reading, Ref, Scope, Snapshot, ref_of
from k8sdiag.kinds import KINDS
from k8sdiag.podstate import conditions_of, containers_of, is_quiet, is_ready
from k8sdiag.relations import controller_of, pods_of
from k8sdiag.target import ApiError, Target

WORKERS = 12  # below the size of a LiveApi's connection pool
DEADLINE = 30.0
_PODS_OF_SUBJECT = 5
_PODS_OF_SCAN = 20
_NAMES_OF_SCAN = 200
_NODES_OF_SCAN = 5
_SPACES_OF_SCAN = 5


def take(target: Target, scope: Scope, clock: Clock, *, deadline: float = DEADLINE) -> Snapshot:
    """Everything that can explain the scope's subject, or the trouble in its namespace.

    Takes at most `deadline` seconds. Raises ApiError where the subject (or, for a namespace, anything at all) cannot
    be read; a subject that does not exist is in `missing`.
    """
    taken_at = clock.now()
    with _Gathering(target, scope, deadline) as gathering:
        if scope.subject is None:
            _scan(gathering, scope)
        else:
            _look_at(gathering, scope.subject)
        return gathering.snapshot(taken_at)


def find_names(target: Target, kind: str, namespace: str) -> list[str]:
    """The names there are of a kind (as in `kind:`), sorted; namespace '' means all. Raises ApiError."""
    known = KINDS.get(kind)
    if known is None:
        raise ApiError(0, f"{kind} is no kind that k8sdiag knows")
    return sorted(ref_of(item).name for item in target.api.get(known.path(namespace)).get("items") or [])


def _look_at(gathering: _Gathering, subject: Ref) -> None:
    asks = list(named(subject.kind, subject.namespace, subject.name, role=Role.SUBJECT))
    if not asks:
        raise ApiError(0, f"{subject.kind} {subject.name} cannot be asked for: no such kind, or no namespace or name")
    gathering.ask(asks[0])
    gathering.drain(asks[0].key, lambda _: True)
    if subject in gathering.missing:
        gathering.follow(Found(subject, {}, Role.GONE))
    for pod in worst(gathering.pods_below(subject))[:_PODS_OF_SUBJECT]:
        gathering.follow(Found(ref_of(pod), pod, Role.POD))
    gathering.drain()


def _scan(gathering: _Gathering, scope: Scope) -> None:
    pods = listed("Pod", scope.namespace, "pods were not checked")
    gathering.ask(pods)  # first in the queue, so that a server that is not there is noticed at once
    gathering.follow(Found(Ref("Namespace", "", scope.namespace), {}, Role.SCAN))
    gathering.drain(pods.key, lambda error: error.status in (0, 401))
    gathering.insist()
    troubled = worst(obj for ref, obj in gathering.objects.items() if ref.kind == "Pod")
    for position, pod in enumerate(troubled[:_NAMES_OF_SCAN]):
        gathering.follow(Found(ref_of(pod), pod, Role.POD if position < _PODS_OF_SCAN else Role.BROKEN))
    unread = [pod for pod in troubled[_PODS_OF_SCAN:] if _badness(pod) > 1]
    if unread:
        what, reason = f"logs of {len(unread)} more failing pods", f"a scan reads those of {_PODS_OF_SCAN} pods only"
        gathering.gap(Gap(what, reason, "what these applications say is unknown: check them one by one"))
    nodes = [obj for ref, obj in gathering.objects.items() if ref.kind == "Node" and not is_ready(obj)]
    for node in nodes[:_NODES_OF_SCAN]:
        gathering.follow(Found(ref_of(node), node, Role.NODE))
    spaces = [obj for ref, obj in gathering.objects.items() if ref.kind == "Namespace"]
    ending = [space for space in spaces if (space.get("metadata") or {}).get("deletionTimestamp")]
    for space in ending[:_SPACES_OF_SCAN]:
        gathering.follow(Found(ref_of(space), space, Role.CHILD))
    gathering.drain()


def worst(pods: Iterable[Json]) -> list[Json]:
    """The pods that are not well, worst first, and one of each owner before the second of any."""
    ranked = sorted(((_badness(pod), pod) for pod in pods), key=lambda pair: (-pair[0], ref_of(pair[1])))
    seen: Counter[str] = Counter()
    spread: list[tuple[int, int, Json]] = []
    for badness, pod in ranked:
        if badness:
            owner = (controller_of(pod) or pod.get("metadata") or {}).get("uid") or ref_of(pod).name
            seen[owner] += 1
            spread.append((seen[owner], len(spread), pod))
    return [pod for _, _, pod in sorted(spread, key=lambda entry: entry[:2])]


def _badness(pod: Json) -> int:
    """0 well, 1 well again after restarts, 2 on its way in or out, 3 not ready or failed, 4 stuck with a reason."""
    if is_quiet(pod):
        return 0
    phase = (pod.get("status") or {}).get("phase")
    reasons = [((c.status.get("state") or {}).get("waiting") or {}).get("reason") for c in containers_of(pod)]
    if any(reason not in (None, "ContainerCreating", "PodInitializing") for reason in reasons):
        return 4
    if (conditions_of(pod).get("PodScheduled") or {}).get("status") == "False":
        return 4
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        return 2
    if phase in ("Pending", "Failed") or not is_ready(pod):
        return 3
    return 1


@dataclass(frozen=True, slots=True)
class _Answer:
    evidence: tuple[Evidence, ...] = ()
    error: ApiError | None = None


def _read(ask: Ask, target: Target) -> _Answer:
    """One request, in a worker. A fault in a reader must not cost the rest of the evidence."""
    try:
        return _Answer(tuple(ask.read(target)))
    except ApiError as error:
        return _Answer(error=error)
    except Exception as error:  # noqa: BLE001  the boundary where everything becomes a Gap
        return _Answer(error=ApiError(0, f"{type(error).__name__}: {error}"))


class _Workers:
    """Threads that read what is asked for, begun as there is need. (concurrent.futures does this, and imports logging
    with all it needs.) None is waited for: what they do is only reading."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._asks: SimpleQueue[Ask | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[str, _Answer]] = SimpleQueue()
        self._threads = 0
        self._wanted: set[str] = set()

    def submit(self, ask: Ask) -> None:
        self._wanted.add(ask.key)
        self._asks.put(ask)
        if self._threads < min(WORKERS, len(self._wanted)):
            self._threads += 1
            Thread(target=self._work, name=f"k8sdiag-collect-{self._threads}", daemon=True).start()

    def answers(self, patience: float) -> list[tuple[str, _Answer]]:
        """What came back, by the asks' keys: waits for the first so long, and for no other."""
        found = []
        try:
            found.append(self._answers.get(timeout=patience))
            while True:
                found.append(self._answers.get_nowait())
        except Empty:
            self._wanted.difference_update(key for key, _ in found)
            return found

    def forget(self, key: str) -> None:
        """Do not begin it, if it has not begun."""
        self._wanted.discard(key)

    def end(self) -> None:
        self._wanted.clear()
        for _ in range(self._threads):
            self._asks.put(None)

    def _work(self) -> None:
        while (ask := self._asks.get()) is not None:
            if ask.key in self._wanted:
                self._answers.put((ask.key, _read(ask, self._target)))


class _Gathering:
    """What has been asked, what came back, and what is still on its way. Only the workers' reads leave the thread."""

    def __init__(self, target: Target, scope: Scope, deadline: float) -> None:
        self.objects: dict[Ref, Json] = {}
        self.missing: set[Ref] = set()
        self._target = target
        self._scope = scope
        self._home = scope.subject.namespace or scope.namespace if scope.subject else scope.namespace
        self._start = monotonic()
        self._deadline = deadline
        self._others: list[ContainerLog | JournalEntry | Reading] = []
        self._gaps: dict[Gap, None] = {}
        self._errors: dict[str, ApiError] = {}
        self._whole: dict[str, str] = {}
        self._children: list[Ref] = []
        self._roles: dict[str, set[Role]] = {}
        self._followed: set[tuple[Ref, Role]] = set()
        self._running: dict[str, tuple[Ask, float]] = {}
        self._workers = _Workers(target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.end()

    def follow(self, found: Found) -> None:
        """Let every collector say what to ask next."""
        if found.role is Role.ASIDE or (found.ref, found.role) in self._followed:
            return
        self._followed.add((found.ref, found.role))
        if found.role is Role.CHILD:
            self._children.append(found.ref)
        for collector in all_collectors():
            try:
                asks = list(collector.plan(self._scope, found))
            except Exception as error:  # noqa: BLE001  an object of a shape nobody foresaw
                reason = f"{type(error).__name__}: {error}"
                self.gap(Gap(f"{collector.name} around {found.ref}", reason, "what hangs together with it is unknown"))
                continue
            for ask in asks:
                self.ask(ask, collector.timeout)

    def ask(self, ask: Ask, timeout: float = DEADLINE) -> None:
        """Ask, unless it is known or asked for already."""
        known = self.objects.get(ask.ref) if ask.ref else None
        if ask.ref and known is not None:
            self.follow(Found(ask.ref, known, ask.role))
        elif ask.key in self._roles:
            self._roles[ask.key].add(ask.role)
        elif self._whole.get(ask.kind, None) not in ("", ask.namespace):
            self._roles[ask.key] = {ask.role}
            due = self._start + min(timeout, self._deadline)
            self._running[ask.key] = (ask, due)
            self._workers.submit(ask)

    def drain(self, vital: str = "", is_fatal: Callable[[ApiError], bool] = bool) -> None:
        """Take in answers, and what they lead to, until nothing is on its way. The vital ask may end it all."""
        while self._running:
            left = min(due for _, due in self._running.values()) - monotonic()
            answers = self._workers.answers(max(left, 0.0)) or self._late()
            for key, answer in answers:
                if key not in self._running:
                    continue  # given up before it came
                ask, _ = self._running.pop(key)
                if answer.error is None:
                    self._take_in(ask, answer.evidence)
                elif ask.key == vital and answer.error.status != 404 and is_fatal(answer.error):
                    raise answer.error
                else:
                    self._refused(ask, answer.error)

    def insist(self) -> None:
        """Nothing but refusals is no Snapshot."""
        if not self.objects and self._errors:
            raise next(iter(self._errors.values()))

    def gap(self, gap: Gap) -> None:
        self._gaps[gap] = None

    def pods_below(self, subject: Ref) -> list[Json]:
        """The pods of a subject, or of what stands between it and them; not the subject itself."""
        snapshot = Snapshot(self.objects.values(), taken_at=0.0)
        above = [obj for obj in map(self.objects.get, [subject, *self._children]) if obj]
        pods = {ref_of(pod): pod for obj in above for pod in pods_of(snapshot, obj)}
        pods.pop(subject, None)
        return list(pods.values())

    def snapshot(self, taken_at: float) -> Snapshot:
        subject = self._scope.subject
        return Snapshot(
            self.objects.values(),
            taken_at=taken_at,
            logs=[item for item in self._others if isinstance(item, ContainerLog)],
            journal=[item for item in self._others if isinstance(item, JournalEntry)],
            readings=[item for item in self._others if isinstance(item, Reading)],
            gaps=self._gaps,
            complete=self._whole,
            source=self._target.source,
            title=str(subject) if subject else f"namespace {self._home}" if self._home else "all namespaces",
            missing=self.missing,
            covers=self._home,
        )

    def _take_in(self, ask: Ask, evidence: tuple[Evidence, ...]) -> None:
        if ask.whole and ask.namespace in ("", self._home) and self._whole.get(ask.kind) != "":
            self._whole[ask.kind] = ask.namespace
        for item in evidence:
            if isinstance(item, Gap):
                self.gap(item)
            elif isinstance(item, dict):
                ref = ref_of(item)
                self.objects[ref] = item
                for role in self._roles[ask.key]:
                    self.follow(Found(ref, item, role))
            else:
                self._others.append(item)

    def _refused(self, ask: Ask, error: ApiError) -> None:
        if error.status == 404 and ask.ref:
            self.missing.add(ask.ref)
        elif error.status == 404 and ask.kind:
            return  # a cluster that does not serve the kind has no objects of it
        else:
            self._errors[ask.key] = error
            self.gap(Gap(ask.what, error.reason, ask.effect))

    def _late(self) -> list[tuple[str, _Answer]]:
        """What is given up."""
        late = [(key, due) for key, (_, due) in self._running.items() if due <= monotonic()]
        for key, _ in late:
            self._workers.forget(key)
        return [(key, _Answer(error=ApiError(0, f"timed out after {due - self._start:g} s"))) for key, due in late]
