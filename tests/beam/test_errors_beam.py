"""The names of errors, compared with those of the emulator's driver.

The emulator runs under a seccomp filter with which listen(fd, N) fails with error N. So
`gen_tcp:listen(0, [{backlog, N}])` returns the driver's name for every number N.
"""

from __future__ import annotations

import base64
import errno
import subprocess
import sys

import pytest

from conftest import Oracle
from inetpy.codec.etf import decode
from inetpy.host.errors import POSIX_NAMES, PosixNames

# Runs the command in its arguments under the filter.
FILTERED = """
import ctypes, os, platform, struct, sys

number = {"x86_64": 50, "aarch64": 201}[platform.machine()]
LOAD, EQUAL, OR, RETURN, RETURN_A = 0x20, 0x15, 0x44, 0x06, 0x16
program = b"".join(struct.pack("HBBI", *row) for row in (
    (LOAD, 0, 0, 0),  # the number of the call
    (EQUAL, 0, 3, number),
    (LOAD, 0, 0, 24),  # its second argument
    (OR, 0, 0, 0x00050000),  # SECCOMP_RET_ERRNO
    (RETURN_A, 0, 0, 0),
    (RETURN, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
))

class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("rows", ctypes.c_char_p)]

libc = ctypes.CDLL(None)
rules = Filter(len(program) // 8, program)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(rules), 0, 0):
    sys.exit(77)
os.execvp(sys.argv[1], sys.argv[1:])
"""

NAMES = """
Names = [element(2, gen_tcp:listen(0, [inet, {backlog, N}])) || N <- lists:seq(1, 133)],
io:format("~s", [base64:encode(term_to_binary(Names, [{minor_version, 2}]))]),
halt().
"""


@pytest.fixture(scope="module")
def names() -> list[str]:
    """The driver's names of the errors 1, 2, 3 and so on."""
    command = [sys.executable, "-c", FILTERED, "erl", "-noinput", "-eval", NAMES]
    result = subprocess.run(command, check=False, capture_output=True, timeout=60)
    if result.returncode == 77:
        pytest.skip("system calls cannot be filtered here")
    assert result.returncode == 0, result.stderr.decode()
    atoms = decode(base64.b64decode(result.stdout))
    assert isinstance(atoms, list)
    return [atom.name for atom in atoms]


def test_names_are_the_drivers(names: list[str], oracle: Oracle) -> None:
    """All numbers have the same name, also those that the driver has no name for."""
    driver = PosixNames(oracle.release)
    ours = [driver.name(OSError(number, "")) for number in range(1, len(names) + 1)]
    assert {
        number: pair for number, pair in enumerate(zip(ours, names, strict=True), 1) if len(set(pair)) > 1
    } == {}
    assert set(names) <= POSIX_NAMES
    assert max(errno.errorcode) <= len(names)


def test_names_have_a_text(names: list[str], oracle: Oracle) -> None:
    """inet:format_error/1 has a text for all names except a few."""
    silent = [name for name in sorted(set(names)) if b"unknown" in _text(oracle, name)]
    newer = ["ecanceled", "enotrecoverable", "eownerdead"] if oracle.release >= 28 else []
    assert silent == sorted(["eilseq", "unknown", *newer])


def _text(oracle: Oracle, name: str) -> bytes:
    text = decode(oracle.evaluate(f"list_to_binary(erl_posix_msg:message({name}))"))
    assert isinstance(text, bytes)
    return text
