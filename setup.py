"""Builds the compiled core where that can be done; pyproject.toml has all the rest.

Without a compiler, or with INETPY_PURE=1, inetpy is pure Python: slower, and equal.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class BuildCore(build_ext):
    """A core that cannot be built is told of, and left out."""

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 - compilers fail in many ways
            self.leave_out(error)

    @staticmethod
    def leave_out(error: Exception) -> None:
        line = "*" * 78
        for former in Path(__file__).parent.glob("bridge/inetpy/_compiled.*.so"):
            former.unlink()  # of another version of the source, perhaps
        print(f"{line}\ninetpy: the compiled core was NOT built ({error}).", file=sys.stderr)
        print("inetpy will work in pure Python, but the codec is ten times slower.", file=sys.stderr)
        print(f"Install gcc and python3-dev, and install inetpy again.\n{line}", file=sys.stderr)


core = Extension("inetpy._compiled", ["bridge/inetpy/_compiled.pyx"], extra_compile_args=["-O3"])
setup(
    ext_modules=[] if os.environ.get("INETPY_PURE") else [core],
    cmdclass={"build_ext": BuildCore},
)
