"""A trace: what a program asked of its sockets, and what they sent and received.

events      what a trace has: calls, bytes, faults, and turns in the life of a socket
plain       terms as plain Python values
taps        a socket whose methods are noted
recorder    notes the calls and the bytes of some sessions
log         where events go: memory with a limit, and a file perhaps
output      a file that is written while the trace goes on
keys        what opens the bytes of TLS
redaction   hides bytes before they are noted
jsonl       events as lines of JSON
capture     events as a capture file, which Wireshark reads
packets     IP, TCP and UDP for it
pcapng      its blocks
read        the file of a trace
records     what is read
read_jsonl      lines of JSON
read_pcapng     blocks, and the packets of `capture`
read_packets    packets of any program

While nothing is recorded, none of this is loaded.
"""
