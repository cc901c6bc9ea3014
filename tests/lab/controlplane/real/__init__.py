"""Real replicas: etcd, kube-apiserver, HAProxy and KMS plugins as processes of this machine.

``host``           RealReplicaHost, the ReplicaHost of tests/lab/controlplane/ports.py
``binaries``       builds and keeps what Go makes; says what the machine lacks
``etcd``, ``kube_apiserver``, ``kms_plugin``, ``front_door``    one program each
``cluster_pki``    who trusts whom
``distant_network``  a round trip before the front door
``child_process``, ``reserved_port``    processes that end with their owner, ports that stay ours
"""
