"""k8sdiag names the root cause of a Kubernetes pod that does not run, proves it, and says how to mend it."""

__version__ = "0.1.0"
