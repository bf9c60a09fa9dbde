"""The sockets: one file per kind of resource.

handle    what all kinds have: name, owner, options, counters, readiness
early     requests whose callers do not wait
counters  the counters of inet:getstat/2
listener  a listening socket, and callers in accept
datagram  a UDP socket, or a unix socket of datagrams
race      connecting to several addresses, of which the first that answers is taken
tcp       a TCP connection, or a unix socket of streams
"""
