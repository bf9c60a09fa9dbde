"""The sockets: one file per kind of resource.

handle    what all kinds have: name, owner, options, counters, readiness
stream    a TCP connection: sending, receiving, connecting, closing
listener  a listening socket and those who wait in accept
datagram  a UDP socket, or a unix socket of datagrams
outbox    what the system has not taken yet of a connection's output
late      an error that comes after its send was answered
race      connecting to several addresses, of which the first that answers is taken
"""
