"""The ways to a node.

Frames, over any pair of descriptors:

    output       frames on their way out: the queue, the backlog, the window
    input        frames that come in
    encoding     what a session says, as frames
    greeting     the first frame of a node
    connection   all of these together, and the session behind them

A process:

    process      what every process begins with
    serve        nodes that connect
    admission    the first frame of a node: who is let in
    tokens       the secrets that nodes show
    tls          TLS with a node
    nodes        a node that has been let in
    limits       what a server allows
    urls         where nodes connect to
    service      the process of `inetpy serve`
    stdio        the port program: the descriptors are its standard input and output
    environment  its settings
    logs         its log, which goes to the node
    statistics   what went through, when somebody wants to know
"""
