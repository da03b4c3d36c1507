"""The inside of a simulated container: threads on the loop, files, streams and a network, without privileges."""
