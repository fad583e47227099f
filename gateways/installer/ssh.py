import logging
import os
import pwd
from pathlib import Path

logger = logging.getLogger("palette-installer")


def install_ssh_key(user: str, key: str) -> None:
    """Let the key in for this user, once. A machine without the user is no reason not to register."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        logger.warning("There is no user %s on this machine; the SSH Public Key is not used.", user)
        return
    add_key(Path(account.pw_dir) / ".ssh" / "authorized_keys", key, owner=(account.pw_uid, account.pw_gid))


def add_key(path: Path, key: str, *, owner: tuple[int, int]) -> None:
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    if key in known.splitlines():
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    separator = "" if known.endswith("\n") or not known else "\n"
    new = path.with_suffix(".new")
    new.write_text(f"{known}{separator}{key}\n", encoding="utf-8")
    new.chmod(0o600)
    new.replace(path)
    for item in (path.parent, path):
        os.chown(item, *owner)
