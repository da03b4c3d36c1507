"""The inside of a simulated container: threads on the work loop, files, streams and a network, without any privileges."""
