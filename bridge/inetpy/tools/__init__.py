"""What only the command needs; a bridge imports nothing of it.

examples    the examples in the help of each verb
run         inetpy run: a program whose node is on Python sockets; inetpy env
network_file  the file of inetpy run --network, before the program starts
trace_file  where the trace of inetpy run --trace goes
lanes       a trace as a time line: what inetpy trace FILE shows
timeline    that in the terminal
trace_page  and as a page
live        inetpy trace --live: a trace of a node that runs
faults      inetpy faults: the rules of a node that runs
doctor      inetpy doctor: what is installed, and what is missing
crosscheck  inetpy crosscheck: scenarios on several backends, compared
rows        what crosscheck has seen, and whether backends agree
pages       the same as Markdown and HTML
served      a server of nodes for as long as a command needs it
documented  which statement of OTP's documentation has which scenario
bench       inetpy bench: costs as ratios
bench_network  the network of its jobs in memory
bench_plot  the same as a picture
report      runs an Erlang program that prints a report, and shows its progress
echo_port   the bare Python programs that the benchmark compares with
bare_port   and one with sockets: the floor
"""
