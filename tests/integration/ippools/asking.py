"""Claims as tests make them."""

from uuid import UUID, uuid4

from ippools.actions import WantedAddress, claim_address
from ippools.models import IPAddressClaim, IPPool


def claim(
    pool: IPPool, *, cluster_id: UUID | None = None, owner_id: UUID | None = None, purpose: str = "node"
) -> IPAddressClaim:
    return claim_address(
        pool,
        cluster_id=cluster_id or uuid4(),
        owner_kind="machine",
        owner_id=owner_id or uuid4(),
        owner_name="gw-cp-1",
        purpose=purpose,
    )


def wanted(pool: IPPool, count: int) -> list[WantedAddress]:
    return [WantedAddress(pool, "machine", uuid4(), f"gw-cp-{number}", "node") for number in range(count)]
