"""Names for Kubernetes and for guests: RFC 1123 labels, whatever a person called the cluster."""

import re

LABEL_LENGTH = 63
_REFUSED = re.compile(r"[^a-z0-9]+")


def label(text: str, *, room_for: str = "") -> str:
    """`text` as a label that `room_for` can be appended to."""
    plain = _REFUSED.sub("-", text.lower()).strip("-") or "cluster"
    return plain[: LABEL_LENGTH - len(room_for)].rstrip("-")


def machine_name(cluster_name: str, *, pool: str, index: int) -> str:
    """`pool` is the short word for the pool: "cp" for the control plane, else its name."""
    ending = f"-{label(pool)[:20].rstrip('-')}-{index}"
    return label(cluster_name, room_for=ending) + ending
