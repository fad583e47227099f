"""The user-data that turns a plain Ubuntu disk into the installer: the agent's own files, as they are here.

cloud-init finds it in the OVF environment, decodes and unpacks it. Packed, because VMware Tools hand the
whole environment to the guest in one message of at most 64 KiB.
"""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

from gateways import installer

PROGRAM_FOLDER = "/opt/palette-installer"
LOG_COMMAND = "/usr/local/sbin/palette-logs"
UNIT = "palette-installer.service"
# The unit gives this user the SSH Public Key property.
USER = "ubuntu"
_PACKAGE = Path(installer.__file__).parent


def packed_user_data() -> str:
    return base64.b64encode(gzip.compress(user_data().encode(), mtime=0)).decode()


def user_data() -> str:
    """JSON is YAML: the standard library writes no other."""
    document = {
        "users": [_user()],
        "ssh_pwauth": False,
        "write_files": [*_modules(), *_system_files()],
        "runcmd": [["systemctl", "daemon-reload"], ["systemctl", "enable", "--now", UNIT]],
    }
    return f"#cloud-config\n{json.dumps(document, indent=1)}\n"


def _user() -> dict[str, Any]:
    return {
        "name": USER,
        "groups": ["sudo"],
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "shell": "/bin/bash",
        "lock_passwd": True,
    }


def _modules() -> list[dict[str, str]]:
    above = _PACKAGE.parent
    sources = [above / "__init__.py", *sorted(_PACKAGE.glob("*.py"))]
    return [_file(f"{PROGRAM_FOLDER}/gateways/{path.relative_to(above)}", path) for path in sources]


def _system_files() -> list[dict[str, str]]:
    return [
        _file(f"/etc/systemd/system/{UNIT}", _PACKAGE / UNIT),
        _file(LOG_COMMAND, _PACKAGE / "palette-logs.sh", "0755"),
    ]


def _file(target: str, source: Path, permissions: str = "0644") -> dict[str, str]:
    content = source.read_text(encoding="utf-8")
    return {"path": target, "owner": "root:root", "permissions": permissions, "content": content}
