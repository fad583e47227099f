"""What Kubernetes takes as a label or a taint, and what a kubelet may give its own node."""

import re

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KUBERNETES = ("kubernetes.io", "k8s.io")
_OF_KUBELET = ("kubelet.kubernetes.io", "node.kubernetes.io")

REGION = "topology.kubernetes.io/region"
ZONE = "topology.kubernetes.io/zone"


def label_problem(key: str, value: str) -> str:
    """A sentence, empty when a node can have the label."""
    if problem := key_problem(key) or value_problem(value):
        return problem
    prefix = key.rpartition("/")[0]
    if prefix in _OF_KUBELET or any(prefix.endswith(f".{allowed}") for allowed in _OF_KUBELET):
        return ""
    if key not in (REGION, ZONE) and any(
        prefix == reserved or prefix.endswith(f".{reserved}") for reserved in _KUBERNETES
    ):
        return f"“{key}” is reserved: a node may not give itself labels of kubernetes.io and k8s.io."
    return ""


def key_problem(key: str) -> str:
    """Of a label or a taint: an optional DNS name and a slash before the name."""
    prefix, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name) or (slash and not _PREFIX.fullmatch(prefix)):
        return (
            f"“{key}” is not a valid key: up to 63 letters, digits, “-”, “_” and “.”, beginning and ending "
            "with a letter or digit, with a DNS name and “/” before it if wanted."
        )
    return ""


def value_problem(value: str) -> str:
    if value and not _NAME.fullmatch(value):
        return (
            f"“{value}” is not a valid value: up to 63 letters, digits, “-”, “_” and “.”, beginning and "
            "ending with a letter or digit, or nothing."
        )
    return ""
