"""Recordings made by hand: incidents that the real ones do not cover, built from Kubernetes' own message formats.

Each file of this folder holds the incidents of one area. `python -m tests.incidents [NAME ...]` writes them to
`recordings/`; `tests/test_incidents.py` holds that what is there is what this makes.
"""
