"""What runs containers on a node: `base` is the protocol, the others keep it. They know nothing of the kubelet."""
