"""Kubelets: one per node of the lab, over a container runtime, with one queue for all their pods."""
