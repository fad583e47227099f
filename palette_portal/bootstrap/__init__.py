"""Documents for new nodes: pure functions from dataclasses to cloud-init, kubeadm and PKI text."""
