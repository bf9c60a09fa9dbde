"""The protocol between the Erlang half and the Python half.

messages    every frame, and how those to Erlang are built
requests    one record per operation, and how each is parsed
active      the active modes
framing     frames with a length in front
identity    the node's name in identifiers, when it changes
vocabulary  the atoms that Python sends
"""
