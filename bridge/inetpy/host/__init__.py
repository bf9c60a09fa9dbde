"""The operating system.

api               what inetpy needs of a host, as protocols
linux             the system itself
memory            a host for tests: all in memory
memory_loop       a host with sockets in memory on a real loop
memory_sockets    the network of these sockets
memory_base       what they have in common, and the table of their addresses
memory_streams    stream sockets
memory_datagrams  datagram sockets
memory_places     their addresses
memory_rules      what they take from the system, or not
routes            the routes of the kernel
poller            readiness of many sockets, with descriptors
virtual           readiness of sockets without a descriptor
pipes             pipes, and bytes that move through them in the kernel
files             files that are written
clock             the time, and timers
interfaces        getifaddrs(3)
errors            errno as the posix atoms of the emulator
bugs              what happens when our own code raises
"""
