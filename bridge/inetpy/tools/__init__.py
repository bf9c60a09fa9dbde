"""What only the command needs; a bridge imports nothing of it.

beams       where the beams are; compiles those of an installed package
run         inetpy run: a program whose node is on Python sockets; inetpy env
network_file  the file of inetpy run --network, before the program starts
faults      inetpy faults: the rules of a node that runs
doctor      inetpy doctor: what is installed, and what is missing
crosscheck  inetpy crosscheck: scenarios on several backends, compared
documented  which statement of OTP's documentation has which scenario
bench       inetpy bench: costs as ratios
bench_network  the network of its jobs in memory
bench_plot  the same as a picture
report      runs an Erlang program that prints a report, and shows its progress
echo_port   the bare Python programs that the benchmark compares with
"""
