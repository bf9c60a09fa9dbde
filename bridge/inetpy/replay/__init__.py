"""Replay of a trace: what was recorded, as conversations, and the one who plays a side of them.

conversations   what a client and a server said to each other, and in which order
matching        whether what comes is what was recorded
chunking        in which pieces bytes are sent
hexdump         what differs, to read
player          plays one side of one conversation
cassette        what a test keeps of a recording, as lines of JSON

This room knows no socket: the room `network` gives a player its connection.
"""
