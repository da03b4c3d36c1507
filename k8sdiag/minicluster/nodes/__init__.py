"""What runs pods: the nodes of the mini-cluster, and what the API server may ask of them."""
