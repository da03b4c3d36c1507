"""A small Kubernetes in one process: an API server, a scheduler and controllers, for reproducing faults and for tests.

What the API looks like comes from `openapi/`, stated by a real 1.33 server. Nothing here is known to the half of
k8sdiag that diagnoses, which meets the mini-cluster as it meets any cluster: over HTTP, or as a recording.
"""
