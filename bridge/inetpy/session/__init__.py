"""What the sockets of one node have in common.

session       sockets by number, watched processes, callers that wait
waiting       a caller that waits for its answer
link          what a session needs of the way to its node, as a protocol
interference  what a network in play is to a session, as a protocol; the context of a request
"""
