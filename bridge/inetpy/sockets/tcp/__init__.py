"""A TCP connection, or a unix socket of streams.

stream      the connection: its parts, and the operations of its users
state       its states and events, as tables
failures    what follows when a connection fails: runs a table of state
part        what the parts have in common
connecting  the way to a connection
receiving   reading from the system
delivery    packets to a caller in recv, or to the owner
sending     writing to the system, and callers that wait for it
outbox      bytes that the system has not taken yet
sendfile    a file on its way
closing     shutdown, and callers in close
"""
