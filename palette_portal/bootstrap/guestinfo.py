import base64

from palette_portal.bootstrap.errors import TooLarge

# VMware's own limit for cloud-init data it passes to a guest.
MAXIMUM_BYTES = 512 * 1024


def guestinfo(metadata: str, userdata: str) -> dict[str, str]:
    """The VM's extraConfig keys that cloud-init's VMware data source reads."""
    values = {"metadata": _encode(metadata), "userdata": _encode(userdata)}
    size = sum(len(value) for value in values.values())
    if size > MAXIMUM_BYTES:
        raise TooLarge(f"The node's documents take {size:,} bytes; a VM accepts {MAXIMUM_BYTES:,}.")
    encodings = {f"guestinfo.{name}.encoding": "base64" for name in values}
    return {f"guestinfo.{name}": value for name, value in values.items()} | encodings


def blank_guestinfo() -> dict[str, str]:
    """What replaces the documents once a node is ready: nothing secret stays readable in vCenter."""
    empty = _encode("#cloud-config\n{}\n")
    return {"guestinfo.userdata": empty, "guestinfo.userdata.encoding": "base64"}


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
