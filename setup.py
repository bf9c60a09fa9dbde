"""Builds the compiled codec if it can be built, and adds the Erlang sources. The rest is in pyproject.toml.

Without a compiler, or with INETPY_PURE=1, inetpy is pure Python: slower, with the same behaviour.
"""

import os
import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

TOP = Path(__file__).parent

# Patterns of the Erlang files, and their folder in inetpy/_erlang. inetpy/beams.py compiles them.
ERLANG = {
    "erl/src/*.erl": "src",
    "erl/src/*.hrl": "src",
    "erl/src/*.app.src": "src",
    "erl/tools/*.erl": "tools",
    "erl/test/xc*.erl": "test",
    "erl/test/xs*.erl": "test",
    "erl/test/inetpy_xc*.erl": "test",
    "erl/test/documented*.toml": "test",
    "erl/test/not_in_memory.toml": "test",
    "scripts/app.escript": "",
    "scripts/docs.escript": "",
}


class BuildPackage(build_py):
    """Copies the Erlang sources into the package, except where the package stays in the source tree."""

    def get_source_files(self) -> list[str]:
        """What an sdist has."""
        files = [str(file.relative_to(TOP)) for pattern in ERLANG for file in sorted(TOP.glob(pattern))]
        return [*super().get_source_files(), *files]

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "inetpy" / "_erlang"
            shutil.rmtree(target, ignore_errors=True)  # a former build may have left more
            for pattern, folder in ERLANG.items():
                (target / folder).mkdir(parents=True, exist_ok=True)
                for file in TOP.glob(pattern):
                    shutil.copyfile(file, target / folder / file.name)


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
        for former in TOP.glob("bridge/inetpy/codec/_compiled.*.so"):
            former.unlink()  # it may be of another version of the source
        print(f"{line}\ninetpy: the compiled codec was NOT built ({error}).", file=sys.stderr)
        print("inetpy will work in pure Python, but the codec is ten times slower.", file=sys.stderr)
        print(f"Install gcc and python3-dev, and install inetpy again.\n{line}", file=sys.stderr)


codec = Extension("inetpy.codec._compiled", ["bridge/inetpy/codec/_compiled.pyx"], extra_compile_args=["-O3"])
setup(
    ext_modules=[] if os.environ.get("INETPY_PURE") else [codec],
    cmdclass={"build_ext": BuildCodec, "build_py": BuildPackage},
)
