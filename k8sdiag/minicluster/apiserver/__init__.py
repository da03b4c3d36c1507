"""The API server: what it stores, checks, fills in, refuses and answers."""
