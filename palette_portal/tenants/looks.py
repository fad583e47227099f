"""How each state looks: tone, icon shape and word, so that colour never speaks alone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    tone: str
    icon: str
    is_busy: bool = False


UNKNOWN = Look("mute", "circle-question-mark")

# Gateways, clusters and machines, and the health of clusters.
THINGS: dict[str, Look] = {
    "Pending": Look("warn", "circle-dashed"),
    "Provisioning": Look("info", "loader-circle", is_busy=True),
    "Provisioned": Look("info", "circle-dot"),
    "Upgrading": Look("info", "loader-circle", is_busy=True),
    "Running": Look("ok", "circle-check"),
    "Deleting": Look("warn", "loader-circle", is_busy=True),
    "Deleted": Look("mute", "circle-minus"),
    "Error": Look("bad", "circle-x"),
    "Failed": Look("bad", "circle-x"),
    "Unreachable": Look("bad", "unplug"),
    "Healthy": Look("ok", "circle-check"),
    "Unhealthy": Look("bad", "triangle-alert"),
    "Active": Look("ok", "circle-check"),
    "Deactivated": Look("mute", "circle-minus"),
    "Invited": Look("warn", "mail"),
    # Logins of cloud accounts.
    "Verified": Look("ok", "circle-check"),
    "Login refused": Look("bad", "circle-x"),
    "Certificate not trusted": Look("bad", "shield-alert"),
    "Unchecked": Look("mute", "circle-question-mark"),
    # Versions of cluster profiles.
    "Draft": Look("warn", "pencil"),
    "Published": Look("ok", "circle-check"),
    # Reports of prerequisites.
    "Passed": Look("ok", "circle-check"),
    "Warnings": Look("warn", "octagon-alert"),
    "Checking": Look("info", "loader-circle", is_busy=True),
    # Addresses of a pool.
    "Free": Look("ok", "circle"),
    "Used": Look("info", "circle-dot"),
    "Resting": Look("warn", "hourglass"),
    "Reserved": Look("mute", "lock"),
}

# Operations and their steps, where Running means "at work" and not "well".
WORK: dict[str, Look] = {
    "Pending": Look("mute", "circle-dashed"),
    "Queued": Look("mute", "clock"),
    "Ready": Look("mute", "clock"),
    "Running": Look("info", "loader-circle", is_busy=True),
    "Waiting": Look("info", "hourglass"),
    "Retrying": Look("warn", "rotate-cw"),
    "Done": Look("ok", "circle-check"),
    "Succeeded": Look("ok", "circle-check"),
    "Cancelled": Look("mute", "ban"),
}


def look_of(state: str, kind: str = "thing") -> Look:
    return (WORK if kind in ("step", "operation") else THINGS).get(state, UNKNOWN)
