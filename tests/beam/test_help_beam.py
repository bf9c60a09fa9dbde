"""`h(inetpy)` in a shell of this emulator."""

from __future__ import annotations

import re
import subprocess

import pytest

from conftest import EBIN

TYPED = "h(inetpy). h(inetpy, install). h(inetpy_inet, getaddr, 2). h(inetpy_happy_tcp). halt().\n"


@pytest.fixture(scope="module")
def printed() -> str:
    done = subprocess.run(
        ["erl", "-pa", str(EBIN)], check=True, input=TYPED, capture_output=True, text=True, timeout=60
    )
    plain = re.sub(r"\x1b\[[\d;]*m", "", done.stdout)
    return " ".join(plain.split())


@pytest.mark.parametrize(
    "text",
    [
        "Starts and stops inetpy, and says which calls of",
        "ok = inetpy:start(). {ok, L} = gen_tcp:listen(0, inetpy:tcp_options([binary])).",
        "-spec install() -> ok | {error, term()}. From now on every gen_tcp and gen_udp call",
        "As inet:getaddr/2.",
        "connects by name to the first address that answers",
    ],
)
def test_help(printed: str, text: str) -> None:
    assert text in printed


def test_every_public_function_has_help() -> None:
    """No function of inetpy is without a text; only those for other modules are hidden."""
    code = """
        {ok, {docs_v1, _, _, _, _, _, Docs}} = code:get_doc(inetpy),
        io:format("~0p ~0p", [
            [F || {{_, F, _}, _, _, #{<<"en">> := []}, _} <- Docs],
            [F || {{_, F, _}, _, _, hidden, _} <- Docs]
        ]),
        halt().
    """
    done = subprocess.run(
        ["erl", "-noshell", "-pa", str(EBIN), "-eval", code], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[] [install_quietly]"
