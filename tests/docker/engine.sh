#!/bin/sh
# Runs a Docker engine in namespaces of its own, with the arguments of dockerd:
#
# - in a network without a way out, so bridges and addresses of containers are not seen outside;
# - with its own mounts, so no mount is left behind, and its own /run;
# - as the first of its processes, so containers end with the engine, however it ends.
#
# It ends with the process that started it.
set -e

if [ -z "$INSIDE_NAMESPACE" ]; then
    export INSIDE_NAMESPACE=1
    exec setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi

mount -t tmpfs none /run
ip link set lo up
exec dockerd --exec-root /run/docker --pidfile /run/docker.pid --exec-opt native.cgroupdriver=cgroupfs \
    --bridge=none --iptables=false --ip6tables=false "$@"
