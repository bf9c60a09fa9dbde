"""The floor of the benchmark: a port program that gives every frame back.

It runs on its own, with nothing imported that it does not need: what it takes is
what a round trip to a Python process takes at least.
"""

import os


def main() -> None:
    while data := os.read(0, 65536):
        os.write(1, data)


if __name__ == "__main__":
    main()
