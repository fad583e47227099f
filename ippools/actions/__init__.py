"""IP pools and the addresses they hand out.

An address is held by at most one owner, and an owner holds at most one address per purpose, whoever asks how
often at the same time: every claim and release of a pool passes the lock on the pool's row.
"""

from ippools.actions.claims import (
    PoolExhausted,
    PoolReserved,
    PoolUnavailable,
    WantedAddress,
    claim_address,
    claim_addresses,
    lock_pools,
    release_address,
    release_addresses,
)
from ippools.actions.pools import PoolInUse, create_pool, delete_pool, edit_pool, exclude_addresses
from ippools.actions.room import (
    check_can_serve,
    check_has_room,
    check_promise,
    free_count,
    needed_addresses,
    reserve,
)
from ippools.actions.validation import (
    InvalidPool,
    PoolsOverlap,
    PoolValues,
    check_pool,
    check_pools_fit,
    find_pool_of,
)

__all__ = [
    "InvalidPool",
    "PoolExhausted",
    "PoolInUse",
    "PoolReserved",
    "PoolUnavailable",
    "PoolValues",
    "PoolsOverlap",
    "WantedAddress",
    "check_can_serve",
    "check_has_room",
    "check_pool",
    "check_pools_fit",
    "check_promise",
    "claim_address",
    "claim_addresses",
    "create_pool",
    "delete_pool",
    "edit_pool",
    "exclude_addresses",
    "find_pool_of",
    "free_count",
    "lock_pools",
    "needed_addresses",
    "release_address",
    "release_addresses",
    "reserve",
]
