"""What scripts do in simulated containers, held against what busybox does."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from k8sdiag.minicluster.runtimes.base import Limits
from tests.minicluster.runtimes.rig import Rig, empty, files

OK, ERROR = "Completed", "Error"


@pytest.mark.parametrize(
    ("script", "lines", "code"),
    [
        ("echo hi; echo bad >&2; exit 3", ["hi", "bad"], 3),
        ("echo -n a; echo -e 'b\\nc'", ["ab", "c"], 0),
        ("printf '%s-%03d\\n' x 7 y 8", ["x-007", "y-008"], 0),
        ("false && echo no || echo yes", ["yes"], 0),
        ("true; false", [], 1),
        ("! false && echo turned", ["turned"], 0),
        ("nosuch; echo $?", ["sh: nosuch: not found", "127"], 0),
        ("/no/such", ["sh: /no/such: not found"], 127),
        ("/etc/passwd", ["sh: /etc/passwd: Permission denied"], 126),
        ("for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done", ["1", "3"], 0),
        ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i", ["3"], 0),
        ("until true; do :; done; if [ -d /tmp ]; then echo d; else echo n; fi", ["d"], 0),
        ("case abc in x*) echo x;; a*|b) echo a;; esac", ["a"], 0),
        ("f() { echo $1 $#; return 4; }; f a b; echo $?", ["a 2", "4"], 0),
        ("x='a b'; echo $x \"$x\" ${#x} ${y:-d} ${x%b}", ["a b a b 3 d a"], 0),
        ("echo ${need:?must be set}; echo after", ["sh: need: must be set"], 2),
        ("set -e; false; echo no", [], 1),
        ("set -u; echo $nope", ["sh: nope: parameter not set"], 2),
        ("cat <<EOF\n$((2*3)) $HOME\nEOF", ["6 /root"], 0),
        ("echo one two | cut -d' ' -f2 | tr a-z A-Z", ["TWO"], 0),
        ("seq 5 | tail -n 2 | head -n 1", ["4"], 0),
        ("yes | head -2", ["y", "y"], 0),
        ("echo a > /tmp/f; echo b >> /tmp/f; wc -l /tmp/f", ["2 /tmp/f"], 0),
        ("echo x > /nope/f; echo $?", ["sh: can't create /nope/f: nonexistent directory", "1"], 0),
        ("cat /nope", ["cat: can't open '/nope': No such file or directory"], 1),
        ("ls /nope", ["ls: /nope: No such file or directory"], 1),
        ("(exit 5); echo $?", ["5"], 0),
        ("x=$(echo a; exit 7); echo $x $?", ["a 7"], 0),
        ("sleep 2 & wait; echo done", ["done"], 0),
        ("exec sh -c 'exit 9'", [], 9),
        ("if", ['sh: syntax error: unexpected end of file (expecting "then")'], 2),
        ("echo 'open", ["sh: syntax error: unterminated quoted string"], 2),
        ("expr 1 + 2; basename /a/b; echo a b c | awk '{print $2}'; echo a b | xargs echo x", ["3", "b", "b", "x a b"], 0),
        ("echo hi > /tmp/index.html; httpd -f -p 8080 -h /tmp & sleep 1; wget -qO- http://127.0.0.1:8080/; exit", ["hi"], 0),
        ("trap 'echo bye' EXIT; exit 2", ["bye"], 2),
        ("kill $$; echo alive", ["alive"], 0),
        ("timeout 1 sleep 5; echo $?", ["143"], 0),
        ("[ 1 -eq x ]; echo $?", ["sh: bad number 'x'", "2"], 0),
        ("nslookup db | tail -2", ["** server can't find db: NXDOMAIN"], 0),
        ("wget -qO- http://db:80/", ["wget: bad address 'db'"], 1),
        ("nc -z 127.0.0.1 9; echo $?", ["nc: 127.0.0.1 (127.0.0.1:9): Connection refused", "1"], 0),
    ],
)  # fmt: skip
def test_a_script_writes_and_ends(script: str, lines: list[str], code: int) -> None:
    rig = Rig().shell(script)
    assert ([line for line in rig.lines if line], rig.end) == (lines, (code, ERROR if code else OK))


def test_time_passes_in_a_script() -> None:
    rig = Rig().shell("echo warming; sleep 60; echo up; sleep 3600", seconds=59)
    assert (rig.lines, rig.state.state) == (["warming"], "running")
    rig.loop.run_for(2)
    assert rig.lines == ["warming", "up"]


@pytest.mark.parametrize(
    "script", ["sleep 3600", "while true; do sleep 1; done", "tail -f /dev/null", "sleep 100 & wait"]
)
def test_a_first_process_that_handles_no_signal_is_killed_after_its_grace(script: str) -> None:
    rig = Rig().shell(script)
    before = rig.clock.now()
    rig.stop(4)
    assert rig.end == (137, ERROR)
    assert 4 <= (rig.state.finished_at or 0) - before < 5


def test_a_trap_ends_a_container_in_good_order() -> None:
    rig = Rig().shell("trap 'echo bye; exit 0' TERM; sleep 3600 & wait")
    rig.stop(30)
    assert (rig.lines, rig.end) == (["bye"], (0, OK))


def test_a_shell_that_is_asked_to_end_waits_for_what_it_runs() -> None:
    rig = Rig().shell("trap 'exit 0' TERM; sleep 20")
    rig.stop(3)
    assert rig.end == (137, ERROR)


def test_config_maps_and_variables_are_read() -> None:
    rig = Rig().shell(
        "cat /etc/app/app.conf; echo $MODE; echo x > /etc/app/new",
        mounts=[files("/etc/app", app_conf="a=1\n")],
        env={"MODE": "dev"},
    )
    assert rig.lines == ["a=1", "dev", "sh: can't create /etc/app/new: Read-only file system"]


def test_what_is_written_counts() -> None:
    rig = Rig().shell(
        "dd if=/dev/zero of=/cache/x bs=1M count=40; head -c 5M /dev/zero > /tmp/y; sleep 100", mounts=[empty("/cache")]
    )
    assert rig.state.volumes == {"cache": 40 * 2**20}
    assert rig.state.disk == 5 * 2**20
    assert rig.lines[:2] == ["40+0 records in", "40+0 records out"]


@pytest.mark.parametrize(
    "script", ["a=x; while true; do a=$a$a; done", "head -c 200M /dev/zero | tail", "x=$(cat /dev/zero)", "dd if=/dev/zero of=/dev/null bs=512M", "tail /dev/zero", "dd if=/dev/zero of=/dev/shm/x bs=1M count=60", "stress --vm 1 --vm-bytes 100M"]
)  # fmt: skip
def test_a_script_that_takes_too_much_memory_is_killed(script: str) -> None:
    image = "polinux/stress" if "stress" in script else "busybox:1.36"
    assert Rig().shell(script, image=image, limits=Limits(memory=32 * 2**20)).end == (137, "OOMKilled")


def test_a_volume_that_is_full_says_so() -> None:
    mounts = [empty("/ram", in_memory=True, limit=2**20)]
    rig = Rig().shell(
        "dd if=/dev/zero of=/ram/x bs=1M count=4; echo $?; seq 200000 > /ram/y; echo $?", mounts=mounts, seconds=9999
    )
    assert rig.lines == [
        "dd: error writing '/ram/x': No space left on device",
        "1",
        "seq: write error: No space left on device",
        "1",
    ]


def test_a_loop_that_never_sleeps_keeps_a_core_busy_and_the_lab_goes_on() -> None:
    rig = Rig().shell("while :; do :; done", seconds=100, limits=Limits(cpu=0.5))
    assert (rig.state.state, rig.state.cpu) == ("running", 0.5)


@pytest.mark.parametrize(
    ("security", "script", "line"),
    [
        ({"readOnlyRootFilesystem": True}, "echo x > /data", "sh: can't create /data: Read-only file system"),
        ({"runAsUser": 1000}, "mkdir /data", "mkdir: can't create directory '/data': Permission denied"),
        ({"runAsUser": 1000}, "echo x > /tmp/a; cat /tmp/a; id -u", "x"),
    ],
)
def test_who_may_write_where(security: dict[str, object], script: str, line: str) -> None:
    assert Rig().shell(script, security=security).lines[0] == line


class Alarm(logging.Handler):
    """A fault that the work loop caught is a fault of this test."""

    def emit(self, record: logging.LogRecord) -> None:
        raise AssertionError(record.getMessage())


PIECES = (
    "echo a $x ${x:-y} ${x%%*} $( $(( 1+2 )) ) ; && || | & if then fi while do done for i in case esac x) ;; { } ' \" ` "
    "<<EOF EOF > /tmp/f >> 2>&1 < \\ exit 3 cat test [ ] -f = f() trap wait exec read seq head -n tail -f sed s/a/b/ grep tr "
    "dd if=/dev/zero of=/tmp/z wget http://x curl nc -l 80 ls rm -rf / cp mv tar cf - kill 1 timeout 5 env set -e shift "
    "break printf %s %d %5 date +%Y find stress eval $@ yes : ~ * ? [a ! # sleep"
).split(" ")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        st.lists(st.sampled_from([*PIECES, "\n"]), max_size=25).map(" ".join),
        st.lists(st.sampled_from([*PIECES, "\n", " "]), max_size=25).map("".join),
        st.text(max_size=60),
    )
)
def test_no_text_of_a_script_breaks_the_lab(text: str) -> None:
    log = logging.getLogger("k8sdiag.minicluster")
    alarm = Alarm()
    log.addHandler(alarm)
    try:
        rig = Rig().shell(text, seconds=20)
        rig.stop(1)
        assert rig.state.state == "exited"
    finally:
        log.removeHandler(alarm)
