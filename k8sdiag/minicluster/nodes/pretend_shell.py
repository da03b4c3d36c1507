"""A shell that knows a dozen commands, for `kubectl exec` into a container that is not there.

Enough to look around in (`env`, `ls`, `cat /etc/hostname`, `ps`) and for scripts that check a container by an `echo`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from k8sdiag.clock import Clock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.nodes.agent import STDERR, STDOUT, Closed, Command, Output
from k8sdiag.minicluster.nodes.commands import TO_STDERR

SHELLS = frozenset(("sh", "bash", "ash", "/bin/sh", "/bin/bash", "/bin/ash"))
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_ROOT = "bin\ndev\netc\nhome\nproc\nroot\nsys\ntmp\nusr\nvar\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command wrote, and its exit code."""

    out: str = ""
    err: str = ""
    code: int = 0


class Shell:
    """One container as seen from inside."""

    def __init__(self, pod: Json, container: Json, clock: Clock) -> None:
        self._pod, self._container, self._clock = pod, container, clock
        self._commands: dict[str, Callable[[Sequence[str]], Answer]] = {
            "echo": self._echo,
            "cat": self._cat,
            "ls": self._ls,
            "env": lambda _: Answer("".join(f"{name}={value}\n" for name, value in self._variables().items())),
            "printenv": self._printenv,
            "hostname": lambda _: Answer(f"{self._host_name()}\n"),
            "whoami": lambda _: Answer("root\n"),
            "id": lambda _: Answer("uid=0(root) gid=0(root) groups=0(root)\n"),
            "pwd": lambda _: Answer(f"{container.get('workingDir') or '/'}\n"),
            "uname": lambda _: Answer("Linux\n"),
            "date": lambda _: Answer(f"{self._clock.now():.0f}\n"),
            "ps": lambda _: self._ps(),
            "sleep": lambda _: Answer(),
            "true": lambda _: Answer(),
            "false": lambda _: Answer(code=1),
        }

    def knows(self, words: Sequence[str]) -> bool:
        return bool(words) and (words[0] in SHELLS or words[0].rsplit("/", 1)[-1] in self._commands)

    def run(self, words: Sequence[str]) -> Answer:
        """One command, or `sh -c` of several."""
        if words[0] in SHELLS:
            return self.script(words[2]) if words[1:2] == ["-c"] and len(words) > 2 else Answer()
        return self._commands[words[0].rsplit("/", 1)[-1]](words[1:])

    def script(self, text: str) -> Answer:
        """Statements in a row, each on its own line or after a `;` or `&&`."""
        out, err, code = "", "", 0
        for line in text.replace("&&", ";").replace("\n", ";").split(";"):
            try:
                words = shlex.split(line)
            except ValueError:
                return Answer(out, f"{err}sh: syntax error: unterminated quoted string\n", 2)
            if not words:
                continue
            if words[0] == "exit":
                return Answer(out, err, int(words[1]) if words[1:] and words[1].isdigit() else code)
            to_stderr = bool(TO_STDERR.intersection(words))
            words = [self._expand(word) for word in words if word not in TO_STDERR]
            one = self.run(words) if self.knows(words) else Answer("", f"sh: {words[0]}: not found\n", 127)
            one = Answer("", one.err + one.out, one.code) if to_stderr else one
            out, err, code = out + one.out, err + one.err, one.code
        return Answer(out, err, code)

    def _expand(self, word: str) -> str:
        if "$" not in word:
            return word
        for name, value in sorted(self._variables().items(), key=lambda item: -len(item[0])):
            word = word.replace(f"${{{name}}}", value).replace(f"${name}", value)
        return word

    def _host_name(self) -> str:
        return str(self._pod["spec"].get("hostname") or self._pod["metadata"]["name"])

    def _variables(self) -> dict[str, str]:
        known = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOSTNAME": self._host_name(),
            "KUBERNETES_SERVICE_HOST": "10.96.0.1",
            "KUBERNETES_SERVICE_PORT": "443",
        }
        known |= {entry["name"]: str(entry["value"]) for entry in self._container.get("env") or () if "value" in entry}
        return known | {"HOME": "/root"}

    def _echo(self, words: Sequence[str]) -> Answer:
        return Answer(" ".join(words[1:])) if words[:1] == ["-n"] else Answer(" ".join(words) + "\n")

    def _printenv(self, words: Sequence[str]) -> Answer:
        known = self._variables()
        chosen = [known[word] for word in words if word in known] if words else [f"{k}={v}" for k, v in known.items()]
        return Answer("".join(f"{line}\n" for line in chosen), "", 0 if chosen else 1)

    def _cat(self, words: Sequence[str]) -> Answer:
        address = str((self._pod.get("status") or {}).get("podIP", ""))
        namespace = self._pod["metadata"]["namespace"]
        files = {
            "/etc/hostname": f"{self._host_name()}\n",
            "/etc/hosts": f"127.0.0.1\tlocalhost\n{address}\t{self._host_name()}\n",
            "/etc/resolv.conf": f"search {namespace}.svc.cluster.local svc.cluster.local cluster.local\n"
            "nameserver 10.96.0.10\noptions ndots:5\n",
            f"{_ACCOUNT}/namespace": namespace,
        }
        out, err = "", ""
        for word in words:
            if word in files:
                out += files[word]
            else:
                err += f"cat: can't open '{word}': No such file or directory\n"
        return Answer(out, err, 1 if err else 0)

    def _ls(self, words: Sequence[str]) -> Answer:
        mounts = {mount["mountPath"] for mount in self._container.get("volumeMounts") or ()}
        folders = {"/": _ROOT, "": _ROOT, _ACCOUNT: "ca.crt\nnamespace\ntoken\n"} | {
            mount: "" for mount in mounts if mount != _ACCOUNT
        }
        paths = [word.rstrip("/") or "/" for word in words if not word.startswith("-")] or ["/"]
        out, err = "", ""
        for path in paths:
            if path in folders:
                out += folders[path]
            else:
                err += f"ls: {path}: No such file or directory\n"
        return Answer(out, err, 1 if err else 0)

    def _ps(self) -> Answer:
        own = [*(self._container.get("command") or []), *(self._container.get("args") or [])]
        return Answer(
            f"PID   USER     TIME  COMMAND\n    1 root      0:00 {' '.join(own) or 'app'}\n   12 root      0:00 ps\n"
        )


class Terminal(Closed):
    """`kubectl exec -it … sh`: a line in, its answer out."""

    def __init__(self, shell: Shell, command: Command, output: Output) -> None:
        self._shell, self._command, self._output = shell, command, output
        self._line = b""
        self._code = 0
        self._over = False
        self._prompt()

    def feed(self, data: bytes) -> None:
        if self._command.tty:
            self._output.write(STDOUT, data.replace(b"\r", b"\r\n"))
        self._line += data.replace(b"\r", b"\n")
        while b"\n" in self._line and not self._over:
            line, _, self._line = self._line.partition(b"\n")
            self._run(line.decode(errors="replace").strip())
        if b"\x04" in self._line:
            self.end()

    def end(self) -> None:
        if not self._over:
            if self._line.strip(b"\x04 "):
                self._run(self._line.decode(errors="replace"))
            self._finish()

    def close(self) -> None:
        self._over = True

    def _finish(self) -> None:
        self._over = True
        self._output.end(self._code)

    def _run(self, line: str) -> None:
        leave = line.split()[:1] == ["exit"]
        answer = self._shell.script(line)
        self._code = answer.code
        tell(answer, self._output, self._command.tty)
        if leave:
            self._finish()
        else:
            self._prompt()

    def _prompt(self) -> None:
        if self._command.tty:
            self._output.write(STDOUT, b"/ # ")


class Echo(Closed):
    """`cat` without a file: what comes in goes out."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def feed(self, data: bytes) -> None:
        self._output.write(STDOUT, data)

    def end(self) -> None:
        self._output.end()


def tell(answer: Answer, output: Output, tty: bool) -> None:
    """Write an answer; a terminal has but one stream, and its own line ends."""
    for stream, text in ((STDOUT, answer.out), (STDERR, answer.err)):
        if text:
            data = text.encode()
            output.write(STDOUT if tty else stream, data.replace(b"\n", b"\r\n") if tty else data)
