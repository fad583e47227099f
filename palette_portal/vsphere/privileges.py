"""What the session's user may do on which objects, asked for all of them at once."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from palette_portal.vsphere.errors import SessionExpired, Unreachable, VSphereError
from palette_portal.vsphere.properties import moid_of
from palette_portal.vsphere.session import VCenter

Entity = tuple[str, str]


def fetch_privileges(
    vcenter: VCenter,
    entities: Sequence[Entity],
    *,
    username: str,
    session_key: str,
    wanted: Collection[str],
) -> Mapping[str, frozenset[str]]:
    """Privilege ids by the object's id; an object that nobody answered for is left out.

    vCenter resolves groups and roles. Servers that do not offer or allow the first question, or answer
    nothing to it, are asked the older one about exactly the `wanted` ids.
    """
    managed = [vcenter.managed(kind, moid) for kind, moid in entities]
    try:
        held = _fetch(vcenter, managed, username)
    except (Unreachable, SessionExpired):
        raise
    except VSphereError:
        held = {}
    return held if any(held.values()) else _has(vcenter, managed, session_key, wanted)


def _fetch(vcenter: VCenter, managed: Sequence[Any], username: str) -> dict[str, frozenset[str]]:
    manager = vcenter.content.authorizationManager
    answers = manager.FetchUserPrivilegeOnEntities(managed, username)
    return {moid_of(answer.entity): frozenset(answer.privileges or ()) for answer in answers or ()}


def _has(
    vcenter: VCenter, managed: Sequence[Any], session_key: str, wanted: Collection[str]
) -> dict[str, frozenset[str]]:
    manager = vcenter.content.authorizationManager
    answers = manager.HasPrivilegeOnEntities(managed, session_key, sorted(wanted))
    return {
        moid_of(answer.entity): frozenset(
            entry.privId for entry in answer.privAvailability or () if entry.isGranted
        )
        for answer in answers or ()
    }
