"""The operating system.

api               what inetpy needs of a host, as protocols
linux             the system itself
memory            a host for tests: all in memory
memory_loop       a host with sockets in memory on a real loop
memory_sockets    the network of these sockets
memory_base       what they have in common, and the table of their addresses
memory_options    their options
memory_kinds      which kinds of sockets there are
memory_streams    stream sockets: connections
memory_transfer   stream sockets: sending and receiving
memory_ways       a direction of a connection
memory_packets    seqpacket sockets
memory_linger     a close that waits
memory_datagrams  datagram sockets
memory_inbox      datagrams that wait at their receiver
memory_groups     multicast groups
memory_marks      control messages of IP
memory_control    control messages of the unix domain, and room for all of them
memory_places     addresses
memory_calls      calls that the socket module does not have, of these sockets
memory_interfaces  the interface of a host in memory
memory_journal    their options, as the kernel has them
memory_rules      what they take from the system, or not
routes            the routes of the kernel
raw               calls that the socket module does not have
cmsg              control messages as bytes
protocols         the file of names of protocols
poller            readiness of many sockets, with descriptors
virtual           readiness of sockets without a descriptor
pipes             pipes, and bytes that move through them in the kernel
files             files that are written
clock             the time, and timers
interfaces        getifaddrs(3)
errors            errno as the posix atoms of the emulator
flags             flags of recv(2) and send(2) as plain numbers
bugs              what happens when our own code raises
"""
