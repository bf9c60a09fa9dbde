"""The table of options and the module `socket` of the running OTP."""

from __future__ import annotations

from evaluated import evaluated
from inetpy.options.plain import PLAIN_OPTIONS
from inetpy.sockets.plain.settings import OWN

# Each `{Level, Option}` in the type socket_option() of OTP's module, which is what its documents list.
DOCUMENTED = """
    {ok, {_, [{abstract_code, {_, Forms}}]}} = beam_lib:chunks(code:which(socket), [abstract_code]),
    [Type] = [T || {attribute, _, type, {socket_option, T, []}} <- Forms],
    Atoms = fun Atoms({atom, _, A}) -> [A];
                Atoms({ann_type, _, [_, T]}) -> Atoms(T);
                Atoms({type, _, union, Ts}) -> lists:flatmap(Atoms, Ts)
            end,
    {type, _, union, Tuples} = Type,
    [io:format("~s ~s~n", [Level, Name])
        || {type, _, tuple, [L, N]} <- Tuples, Level <- Atoms(L), Name <- Atoms(N)]
"""

# Names that OTP documents and does not know: the scenarios of xs_options show how they are refused.
UNKNOWN = {("ip", "sndsrcaddr"), ("ipv6", "pktinfo"), ("sctp", "auth_asconf")}


def test_documented_options() -> None:
    """Every option that OTP documents has a row, of those that the system has and of those it does not."""
    rows = {*PLAIN_OPTIONS, *(("otp", name) for name in OWN)}
    documented = {tuple(line.split()) for line in evaluated(DOCUMENTED)}
    assert len(documented) > 140
    assert documented - rows == UNKNOWN
