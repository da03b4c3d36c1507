"""Subjects to answers: where to look at which objects, the diagnosis of each, and the exit code."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

from k8sdiag.cli.refusal import CouldNotLook
from k8sdiag.cli.sources import Source, load_playbooks, look
from k8sdiag.playbook import Playbook


class _Rules(Thread):
    """Reads the rules while the API server thinks."""

    def __init__(self, folders: list[Path]) -> None:
        super().__init__(daemon=True)
        self._folders = folders
        self._found: list[Playbook] = []
        self._problem: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._found = load_playbooks(self._folders)
        except BaseException as problem:  # noqa: BLE001 (raised again by whoever wants the rules)
            self._problem = problem

    def read(self) -> list[Playbook]:
        self.join()
        if self._problem is not None:
            raise self._problem
        return self._found


def answer(wanted: list[tuple[Source, str, str]], output: str, fail_on: str, playbooks: list[Path] | None) -> int:
    """Diagnose each object (source, kind, name), show it, and say the exit code. Raises CouldNotLook."""
    rules = _Rules(playbooks or [])
    from k8sdiag.cli.answers import exit_code, show
    from k8sdiag.diagnose import diagnose

    reports, failures = [], []
    for source, kind, name in wanted:
        try:
            snapshot, subject = look(source, kind, name)
        except CouldNotLook as problem:
            rules.read()  # a mistake in a rule comes first
            failures.append(str(problem))
            continue
        reports.append(diagnose(snapshot, subject, rules.read()))
    if reports:
        show(reports[0] if len(wanted) == 1 else reports, output)
    if failures:
        raise CouldNotLook("\n".join(failures))
    return exit_code((finding for report in reports for finding in report.findings), fail_on)
