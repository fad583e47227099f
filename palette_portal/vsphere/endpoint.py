import re
from dataclasses import dataclass
from ipaddress import IPv6Address

from palette_portal.vsphere.errors import InvalidServer

HTTPS_PORT = 443
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?")
BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::(.*))?")


@dataclass(frozen=True)
class Endpoint:
    host: str
    port: int = HTTPS_PORT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == HTTPS_PORT else f"{host}:{self.port}"


def parse_server(server: str) -> Endpoint:
    """Read "host", "host:port" or "[v6]:port"; anything else is InvalidServer with what is wrong."""
    if "://" in server:
        raise InvalidServer(f"“{server}” contains a scheme.", "Enter only the host name, without https://.")
    if any(character.isspace() for character in server):
        raise InvalidServer(f"“{server}” contains a space.", "Enter only the host name.")
    if "/" in server or "@" in server:
        raise InvalidServer(f"“{server}” contains more than a host name.", "Leave out path and user name.")
    host, port = _split_port(server)
    if not host:
        raise InvalidServer(
            f"“{server}” is not a host name.", "Enter a name or an address of the vCenter server."
        )
    return Endpoint(host, _port_number(server, port))


def _split_port(server: str) -> tuple[str, str]:
    if bracketed := BRACKETED.fullmatch(server):
        return bracketed[1] if _is_v6(bracketed[1]) else "", bracketed[2] or ""
    if server.count(":") > 1:
        return server if _is_v6(server) else "", ""
    host, _, port = server.partition(":")
    return (host if HOST_NAME.fullmatch(host) else ""), port


def _is_v6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def _port_number(server: str, port: str) -> int:
    if not port and not server.endswith(":"):
        return HTTPS_PORT
    if port.isascii() and port.isdigit() and 0 < int(port) < 65536:
        return int(port)
    raise InvalidServer(f"“{server}” has no valid port.", "A port is a number from 1 to 65535.")
