"""The operating system.

api         what inetpy needs of a host, as protocols
linux       the system itself
memory      a host for tests: all in memory
memory_sockets  its sockets
poller      readiness of many sockets, with descriptors
virtual     readiness of sockets without a descriptor
pipes       pipes, and bytes that move through them in the kernel
clock       the time, and timers
interfaces  getifaddrs(3)
errors      errno as the posix atoms of the emulator
bugs        what happens when our own code raises
"""
