"""What a node of a test raises."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..codec.terms import Pid

__all__ = ["ErlangError", "ErlangTimeoutError", "Frame", "NodeDownError"]


class Frame(NamedTuple):
    """A function in the stack of an Erlang process. `file` and `line` are None where the beam has none."""

    module: str
    function: str
    arity: int
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = "" if self.file is None else f" ({self.file}, line {self.line})"
        return f"{self.module}:{self.function}/{self.arity}{place}"


class ErlangError(Exception):
    """An exception of Erlang, or text that is no Erlang.

    kind: "error", "exit" or "throw"; "syntax" for text that cannot be parsed, and "compile" for a module that
        cannot be compiled.
    reason: the reason as a term; the message for "syntax" and "compile".
    stack: the functions that were called, the innermost first.

    The text is that of Erlang's shell.
    """

    __module__ = __package__  # the name under which tests import it

    def __init__(self, kind: str, reason: Any, text: str, stack: list[Frame] | None = None) -> None:
        super().__init__(kind, reason, text, stack)
        self.kind = kind
        self.reason = reason
        self.text = text
        self.stack = stack or []

    def __str__(self) -> str:
        return self.text


class ErlangTimeoutError(TimeoutError):
    """The node has not answered in time. The text says what the process waits in.

    pid: the process, where there was one.
    """

    __module__ = __package__

    def __init__(self, text: str, pid: Pid | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.pid = pid

    def __str__(self) -> str:
        return self.text


class NodeDownError(RuntimeError):
    """The node has ended. The text has its last output."""

    __module__ = __package__

    def __init__(self, text: str) -> None:
        super().__init__(text)
