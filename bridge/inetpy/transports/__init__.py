"""The ways to a peer. `stdio` is a port program of an Erlang node."""
