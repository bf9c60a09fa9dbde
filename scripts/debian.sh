#!/usr/bin/env bash
# Installs the Debian packages that are missing: debian.sh build | test | network | apps | docker.
#
# Nothing is installed if the programs are there, whatever their source.
set -euo pipefail

# program=package
build=(erl=erlang-base erlc=erlang-base escript=erlang-base gcc=gcc)
test=(dialyzer=erlang-dialyzer ct_run=erlang-common-test elixir=elixir rebar3=rebar3 git=git ip=iproute2 openssl=openssl)
network=(tshark=tshark)
apps=(
    /usr/lib/rabbitmq/bin/rabbitmq-server=rabbitmq-server yaws=yaws curl=curl wrk=wrk
    ejabberdctl=ejabberd chromium=chromium
)
docker=(
    docker=docker.io dockerd=docker.io docker-compose=docker-compose mmdebstrap=mmdebstrap ip=iproute2
)
# Erlang applications without a program
build_applications=(crypto)
test_applications=(tools common_test runtime_tools public_key ssl inets ssh ftp mnesia)

programs=("${build[@]}")
applications=("${build_applications[@]}")
case "${1:-build}" in
    test) programs+=("${test[@]}") applications+=("${test_applications[@]}") ;;
    apps) programs+=("${apps[@]}") ;;
    network) programs+=("${network[@]}") ;;
    docker) programs+=("${docker[@]}") ;;
esac

missing=()
add_missing() { case " ${missing[*]-} " in *" $1 "*) ;; *) missing+=("$1") ;; esac; }

for entry in "${programs[@]}"; do
    command -v "${entry%%=*}" >/dev/null || add_missing "${entry##*=}"
done
if command -v erl >/dev/null; then
    for application in "${applications[@]}"; do
        erl -noshell -eval 'halt(case code:lib_dir('"$application"') of {error, _} -> 1; _ -> 0 end).' \
            || add_missing "erlang-${application//_/-}"
    done
else
    for application in "${applications[@]}"; do add_missing "erlang-${application//_/-}"; done
fi
"${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || add_missing python3-venv
# for the compiled codec
"${PYTHON:-python3}" -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' 2>/dev/null \
    || add_missing python3-dev

[ ${#missing[@]} -eq 0 ] && exit 0

echo "== Debian packages: ${missing[*]} =="
if [ "$(id -u)" -ne 0 ]; then
    echo "They are missing and only root can install them. Run as root:" >&2
    echo "    apt-get install ${missing[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# Do not start the services of the packages: the tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
