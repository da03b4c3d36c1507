"""Work that takes time, written down in order: a generator that yields what it waits for.

A kubelet does one thing after another for a pod (mount, pull, create, start) and each may take its time. Here such work
is a generator; it yields a `Wait`, and goes on with its answer when that comes. All runs in the loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from k8sdiag.minicluster.loop import Loop

Resume = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Wait:
    """Something to wait for: `begin` sets it going and is given what to call with the answer, once. Work that waits for
    something `open_ended` may be broken off there; elsewhere it has to come to its next such point."""

    begin: Callable[[Resume], None]
    open_ended: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """So many seconds."""

    seconds: float
    open_ended: bool = False


Steps = Generator[Wait | Pause, Any, Any]


class Broken:
    """The answer of work that ended with an exception, which the loop has logged."""


class Task:
    """Work in progress."""

    __slots__ = ("_engine", "_number", "answer", "broken", "cancelled", "done", "steps", "ticket", "waits")

    def __init__(self, engine: Engine, number: int, steps: Steps, done: Callable[[Any], None] | None) -> None:
        self._engine, self._number = engine, number
        self.steps, self.done = steps, done
        self.answer: Any = None
        self.ticket = 0
        self.waits: Wait | Pause | None = None
        self.broken = self.cancelled = False

    def cancel(self) -> None:
        """Break it off at once, or where it next waits for something that has no end of its own. `done` is called with
        None then."""
        self.cancelled = True
        if self.waits is not None and self.waits.open_ended:
            self.ticket += 1
            self._engine.wake(self._number)

    def resume(self, ticket: int, answer: Any) -> None:
        """The answer that a wait was for; late ones are ignored."""
        if ticket == self.ticket:
            self.ticket += 1
            self.answer = answer
            self._engine.wake(self._number)


class Engine:
    """Runs tasks, each in its turns of the loop."""

    def __init__(self, loop: Loop, name: str) -> None:
        self._queue = loop.queue(name, self._turn)
        self._tasks: dict[int, Task] = {}
        self._count = 0

    def run(self, steps: Steps, done: Callable[[Any], None] | None = None) -> Task:
        """Begin; `done` is called with what the work returns, or with `Broken`."""
        self._count += 1
        task = self._tasks[self._count] = Task(self, self._count, steps, done)
        self._queue.add(self._count)
        return task

    def wake(self, number: int) -> None:
        self._queue.add(number)

    def together(self, several: Sequence[Steps]) -> Wait:
        """Wait for several at once; the answer is the list of theirs, in order."""

        def begin(resume: Resume) -> None:
            answers: list[Any] = [None] * len(several)
            left = len(several)

            def ended(index: int, answer: Any) -> None:
                nonlocal left
                answers[index] = answer
                left -= 1
                if not left:
                    resume(answers)

            for index, steps in enumerate(several):
                self.run(steps, lambda answer, index=index: ended(index, answer))  # type: ignore[misc]
            if not several:
                resume([])

        return Wait(begin)

    def _turn(self, number: int) -> None:
        task = self._tasks.get(number)
        if task is None:
            return
        if task.broken:  # the loop has logged why, and asks again
            self._end(number, task, Broken())
            return
        if task.cancelled and (task.waits is None or task.waits.open_ended):
            task.steps.close()
            self._end(number, task, None)
            return
        task.broken = True
        try:
            waits = task.steps.send(task.answer if task.waits is not None else None)
        except StopIteration as end:
            self._end(number, task, end.value)
            return
        task.waits, task.answer = waits, None
        if task.cancelled and waits.open_ended:
            self._queue.add(number)
        elif isinstance(waits, Pause):
            task.ticket += 1
            self._queue.add(number, waits.seconds)
        else:
            ticket = task.ticket
            waits.begin(lambda answer: task.resume(ticket, answer))
        task.broken = False

    def _end(self, number: int, task: Task, value: Any) -> None:
        del self._tasks[number]
        if task.done is not None:
            task.done(value)
