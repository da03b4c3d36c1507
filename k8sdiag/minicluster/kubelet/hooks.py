"""What a container has done after it starts and before it stops (pkg/kubelet/lifecycle/handlers.go)."""

from __future__ import annotations

from collections.abc import Callable

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.containers import called
from k8sdiag.minicluster.kubelet.probing import Outcome, Subject, Timer, probe

_NO_END = 365 * 86400.0  # a postStart hook may take as long as it likes


def run_hook(
    pod: Json, subject: Subject, hook: Json, timer: Timer, done: Callable[[str | None], None], limit: float = _NO_END
) -> None:
    """Run it; `done` is called with None, or with the message of its failure."""
    name = subject.container["name"]
    if "sleep" in hook:
        timer(min(float(hook["sleep"].get("seconds") or 0), limit), lambda: done(None))
        return
    tail = f'for Container "{name}" in Pod "{called(pod)}" failed - error: '
    if "exec" in hook:
        words = [str(word) for word in hook["exec"].get("command") or ()]
        lead, what = f"Exec lifecycle hook ([{' '.join(words)}])", " ".join(words)
    else:
        lead, what = f"HTTP lifecycle hook ({(hook.get('httpGet') or {}).get('path', '')})", ""

    def found(outcome: Outcome) -> None:
        if outcome.success:
            done(None)
        elif not what:
            done(f"{lead} {tail}{outcome.text}")
        elif outcome.success is None:
            done(f'{lead} {tail}{outcome.text}, message: ""')
        else:
            why = f"command '{what}' exited with {outcome.code}: {outcome.text}, message: {_quoted(outcome.text)}"
            done(f"{lead} {tail}{why}")

    probe(subject, {**hook, "timeoutSeconds": limit}, timer, found)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
