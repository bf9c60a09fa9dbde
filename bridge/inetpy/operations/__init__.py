"""What a request does.

dispatch  the door: finds the socket and the operation, refuses what is no request
openers   the operations that open a socket
lookups   the functions of `inet` that take no socket
"""
