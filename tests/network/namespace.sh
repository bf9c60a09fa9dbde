#!/bin/sh
# Runs a command in a network of its own, which ends with the command:
#
#     here 10.7.0.1 ---- router ---- far 10.7.1.0/24, each of whose addresses is a host
#
#     10.7.2.0/24   the route says unreachable        10.7.5.0/24   the router says unreachable
#     10.7.3.0/24   the route says prohibit           10.7.6.0/24   the router drops without a word
#     10.7.4.0/24   the route drops                   any other     there is no route
#
# The resolver asks 127.0.0.1. No program may bind to a port below 53.
#
#     tests/network/namespace.sh COMMAND ARGUMENT...
set -e

if [ -z "$INSIDE_NAMESPACE" ]; then
    INSIDE_NAMESPACE=1 exec unshare --net --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi

mount -t tmpfs none /run
ip netns add router
ip netns add far
ip link set lo up
ip link add near type veth peer name near netns router
ip -n router link add far type veth peer name far netns far
for host in router far; do ip -n $host link set lo up; done

ip address add 10.7.0.1/24 dev near
ip link set near up
ip -n router address add 10.7.0.2/24 dev near
ip -n router link set near up
ip -n router address add 10.7.9.1/24 dev far
ip -n router link set far up
ip -n far address add 10.7.9.2/24 dev far
ip -n far link set far up
ip netns exec router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
# the error of an unreachable host comes each time
ip netns exec router sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit'

for net in 1 5 6; do ip route add 10.7.$net.0/24 via 10.7.0.2; done
ip route add unreachable 10.7.2.0/24
ip route add prohibit 10.7.3.0/24
ip route add blackhole 10.7.4.0/24
ip -n router route add 10.7.1.0/24 via 10.7.9.2
ip -n router route add unreachable 10.7.5.0/24
ip -n router route add blackhole 10.7.6.0/24
ip -n far route add local 10.7.1.0/24 dev lo
ip -n far route add 10.7.0.0/24 via 10.7.9.1

# a connect that nobody answers fails after 3 s and not after 2 minutes
echo 1 >/proc/sys/net/ipv4/tcp_syn_retries
echo 53 >/proc/sys/net/ipv4/ip_unprivileged_port_start
printf 'nameserver 127.0.0.1\n' >/run/resolv.conf
mount --bind /run/resolv.conf /etc/resolv.conf

exec setpriv --bounding-set -net_bind_service -- "$@"
