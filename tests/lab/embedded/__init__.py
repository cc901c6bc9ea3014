"""A stand-in for kube-apiserver and etcd in Python, kept true by tests/contract: see ``host``."""
