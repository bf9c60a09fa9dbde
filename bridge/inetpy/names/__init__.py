"""Addresses and names.

addresses  Erlang's ip tuples and sockaddr maps to and from Python's addresses
sockaddr   the address maps of the module `socket`
ip_text    addresses as text: inet:parse_address/1, inet:ntoa/1 and similar functions
resolver   names of hosts and services
inet       the functions of `inet` that take no socket, as a table
"""
