"""The hooks are renamed in beams of OTP 28 too, whose compiler writes the lengths of atoms in another way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import EBIN, Oracle

# Writes the beams again, as the compiler of OTP 28 would: `long` lengths, and a negative count.
AS_OTP_28 = """
    Long = fun(L) when L < 16 -> L bsl 4; (L) -> [((L bsr 8) bsl 5) bor 8, L band 255] end,
    [begin
        {ok, _, Chunks} = beam_lib:all_chunks(File),
        {_, <<Count:32, Atoms/binary>>} = lists:keyfind("AtU8", 1, Chunks),
        New = iolist_to_binary([<<-Count:32>>, [[Long(L), A] || <<L, A:L/binary>> <= Atoms]]),
        {ok, Beam} = beam_lib:build_module(lists:keyreplace("AtU8", 1, Chunks, {"AtU8", New})),
        ok = file:write_file(File, Beam)
     end || File <- filelib:wildcard("inetpy_hook_*.beam")],
    ok = inetpy:install(),
    {ok, {_, inetpy_tcp, _}} = gen_tcp:listen(0, []),
    {ok, {_, inetpy_udp, _}} = gen_udp:open(0),
    io:format("both"), halt().
"""


def test_beams_of_otp_28(oracle: Oracle, tmp_path: Path) -> None:
    if oracle.release < 28:
        pytest.skip("this emulator cannot read beams of OTP 28")
    ebin = Path(shutil.copytree(EBIN, tmp_path / "ebin"))
    done = subprocess.run(
        ["erl", "-noshell", "-pa", str(ebin), "-eval", AS_OTP_28],
        check=False,
        cwd=ebin,
        env=os.environ | {"INETPY_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "both", done.stdout + done.stderr
