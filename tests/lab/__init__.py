"""The lab: a small AKS of our own, on localhost.

``azure``         a local Azure (sign-in, ARM, Key Vault) that the unmodified ``az`` talks to
``controlplane``  what an AKS control plane does: encryption configuration, rolling replicas, upgrades
``controlplane.real``      etcd, kube-apiserver, HAProxy and KMS plugins as processes
``embedded``      a stand-in for kube-apiserver and etcd in Python
``daemon``, ``client``, ``__main__``   one process a lab, its control socket, and the command line
"""
