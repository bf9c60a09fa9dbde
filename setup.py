"""Builds the compiled codec if it can be built; pyproject.toml has everything else.

Without a compiler, or with INETPY_PURE=1, inetpy is pure Python: slower, with the same behaviour.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class BuildCodec(build_ext):
    """If the compiled codec cannot be built, warns and installs without it."""

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 - compilers fail in many ways
            self.warn(error)

    @staticmethod
    def warn(error: Exception) -> None:
        line = "*" * 78
        for former in Path(__file__).parent.glob("bridge/inetpy/codec/_compiled.*.so"):
            former.unlink()  # it may be of another version of the source
        print(f"{line}\ninetpy: the compiled codec was NOT built ({error}).", file=sys.stderr)
        print("inetpy will work in pure Python, but the codec is ten times slower.", file=sys.stderr)
        print(f"Install gcc and python3-dev, and install inetpy again.\n{line}", file=sys.stderr)


codec = Extension("inetpy.codec._compiled", ["bridge/inetpy/codec/_compiled.pyx"], extra_compile_args=["-O3"])
setup(
    ext_modules=[] if os.environ.get("INETPY_PURE") else [codec],
    cmdclass={"build_ext": BuildCodec},
)
