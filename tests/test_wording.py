"""Values in texts are data: nothing in them is interpreted, and in commands they are one word to the shell."""

import shlex

from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.wording import fill


def test_fills_and_leaves_out() -> None:
    values = {"name": "app", "limits.memory": "32Mi", "gone": "", "exit.ran": 75, "names": ("a", "b")}
    assert fill("Container {name}[[ of {limits.memory}]][[ and {gone}]].", values) == "Container app of 32Mi."
    assert fill("ran {exit.ran}, {names}", values) == "ran 75s, a, b"


@given(st.text(max_size=60))
def test_a_value_is_never_a_template(value: str) -> None:
    shown = fill("<{name}>", {"name": value, "secret": "REVEALED"})
    assert "REVEALED" not in shown
    assert fill("<{name}>", {"name": "{secret} [[x]] {name}", "secret": "REVEALED"}) == "<{secret} [[x]] {name}>"


@given(st.text(min_size=1, max_size=60).filter(lambda text: text.split()))
def test_in_a_command_a_value_is_one_word(value: str) -> None:
    command = fill("kubectl delete pod {name} -n shop", {"name": value}, quote=True)
    assert "\n" not in command
    words = shlex.split(command)
    assert words[:3] == ["kubectl", "delete", "pod"]
    assert words[-2:] == ["-n", "shop"]
    assert len(words) == 6


def test_a_long_value_is_cut() -> None:
    assert len(fill("{name}", {"name": "x" * 100_000})) < 1000


def test_braces_of_a_shell_or_json_stay() -> None:
    text = "kubectl get pod {name} -o jsonpath='{.status.phase}' -p '{\"metadata\":{\"finalizers\":null}}'"
    assert fill(text, {"name": "web"}, quote=True) == text.replace("{name}", "web")
