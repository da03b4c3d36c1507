"""What simulated containers run: a shell with the usual commands, a little Python, and servers as images bring them."""
