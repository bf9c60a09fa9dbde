"""The protocol between the Erlang half and the Python half.

messages    every frame, and how those to Erlang are built
requests    one record per operation, and how each is parsed
plain_requests    the same for sockets of the module `socket`
plain_vocabulary  atoms of these
active      the active modes
mode        what the node knows of the mode of a socket
framing     frames with a length in front
identity    the node's name in identifiers, when it changes
vocabulary  the atoms that Python sends
"""
