"""Starts the Python half with no installation: `python3 .../inetpy/start.py VERSION VERB`.

inetpy_python.erl calls it. An installed inetpy of this version is preferred, because it may have the compiled
codec. Otherwise the package that this file is in is used. Every Python 3 must be able to read this file, so
that an old one can say that it is too old.
"""

import os
import sys

OLDEST = (3, 11)
TOO_OLD = 65  # the exit status; inetpy_python.erl makes a sentence of it


def main() -> int:
    if sys.version_info < OLDEST:
        os.read(0, 1)  # the greeting: a node that finds no reader for it does not see the exit status
        return TOO_OLD
    version = sys.argv.pop(1)
    package = os.path.dirname(os.path.abspath(__file__))
    own = os.path.dirname(package)
    # Python puts the folder of a script on the path; its modules must not be found without their package.
    sys.path[:] = [*(folder for folder in sys.path if folder != package), own]
    import inetpy

    if getattr(inetpy, "__version__", None) != version:
        del sys.modules["inetpy"]
        sys.path.insert(0, own)
    from inetpy import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
