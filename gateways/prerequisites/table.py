"""The privileges that the portal's vCenter account needs, by role, object kind and version of vCenter."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from palette_portal.vsphere.version import version_numbers

DATA = Path(__file__).with_name("privileges.toml")

ROOT, SPECTRO, READ_ONLY = "root", "spectro", "read-only"
ROLE_TITLES = {ROOT: "Root-level role", SPECTRO: "Spectro role", READ_ONLY: "Read-only"}
# What the two roles are called in vCenter by the scripts.
ROLE_NAMES = {ROOT: "palette-root", SPECTRO: "palette-spectro", READ_ONLY: "ReadOnly"}


@dataclass(frozen=True)
class Privilege:
    id: str
    group: str
    label: str
    roles: frozenset[str]
    must_on: frozenset[str]


@dataclass(frozen=True)
class Kind:
    """A kind of vSphere object, as far as permissions go."""

    key: str
    role: str
    title: str
    propagate: bool


@dataclass(frozen=True)
class Table:
    """What one version of vCenter calls what is needed."""

    version: str
    privileges: tuple[Privilege, ...]
    kinds: Mapping[str, Kind]
    read_only: frozenset[str]
    read_only_must: frozenset[str]
    read_only_must_on: frozenset[str]

    def of_role(self, role: str) -> tuple[Privilege, ...]:
        return tuple(privilege for privilege in self.privileges if role in privilege.roles)

    def needed_on(self, kind: str) -> frozenset[str]:
        """Everything that the account should hold on an object of this kind."""
        own = frozenset(privilege.id for privilege in self.of_role(self.kinds[kind].role))
        return own | (self.read_only if kind in self.read_only_must_on else frozenset())

    def must_on(self, kind: str) -> frozenset[str]:
        own = frozenset(privilege.id for privilege in self.privileges if kind in privilege.must_on)
        return own | (self.read_only_must if kind in self.read_only_must_on else frozenset())


VERSIONS = ("8.0", "7.0", "6.7")


def table_for(version: str) -> Table:
    """Of the version of a server, such as "7.0.3"; newer ones than known are taken for the newest."""
    numbers = version_numbers(version)
    older = [known for known in VERSIONS if version_numbers(known) <= numbers[:2]]
    return load_tables()[older[0] if older else VERSIONS[-1]]


@lru_cache(maxsize=1)
def load_tables() -> Mapping[str, Table]:
    data = tomllib.loads(DATA.read_text())
    kinds = {key: Kind(key, **values) for key, values in data["kinds"].items()}
    plain = data["read-only"]
    return {
        version: Table(
            version=version,
            privileges=tuple(_privilege(entry, data["versions"][version]) for entry in data["privileges"]),
            kinds=kinds,
            read_only=frozenset(plain["ids"]),
            read_only_must=frozenset(plain["must"]),
            read_only_must_on=frozenset(plain["must_on"]),
        )
        for version in VERSIONS
    }


def _privilege(entry: Mapping[str, Any], other_words: Mapping[str, Mapping[str, str]]) -> Privilege:
    words = {**entry, **other_words.get(entry["id"], {})}
    return Privilege(
        id=words["id"],
        group=words["group"],
        label=words["label"],
        roles=frozenset(words["roles"]),
        must_on=frozenset(words.get("must", ())),
    )
