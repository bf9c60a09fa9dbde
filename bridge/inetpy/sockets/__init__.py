"""The sockets: one file per kind of resource.

handle    what all kinds have: name, owner, options, counters, readiness
stream    a TCP connection: sending, receiving, connecting, closing
listener  a listening socket and those who wait in accept
"""
