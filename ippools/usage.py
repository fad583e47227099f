"""How full pools are."""

from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils import timezone

from ippools.models import IPPool, IPPoolQuerySet


@dataclass(frozen=True)
class Usage:
    """Every address from first to last is one of: used, resting, reserved (never handed out), free."""

    total: int
    used: int
    resting: int
    reserved: int

    @property
    def free(self) -> int:
        return max(0, self.total - self.used - self.resting - self.reserved)

    @property
    def bar(self) -> list[tuple[str, float, float]]:
        """Kind, left edge and width of each part, of 1000; what exists is never too thin to be seen."""
        parts = [("used", self.used), ("resting", self.resting), ("reserved", self.reserved)]
        widths = [(kind, max(8.0, 1000 * count / self.total)) for kind, count in parts if count]
        edges = [min(1000.0, sum(width for _, width in widths[:place])) for place in range(len(widths))]
        return [
            (kind, round(left, 1), round(min(width, 1000 - left), 1))
            for (kind, width), left in zip(widths, edges, strict=True)
        ]


def with_counts(pools: IPPoolQuerySet) -> IPPoolQuerySet:
    """Annotate what `usage_of` needs, so that a list of pools asks once."""
    held = Count("claims", filter=Q(claims__released_at=None), distinct=True)
    resting = Count("returned", filter=Q(returned__free_at__gt=timezone.now()), distinct=True)
    return pools.annotate(used_count=held, resting_count=resting)


def usage_of(pool: IPPool) -> Usage:
    counted = pool if hasattr(pool, "used_count") else with_counts(IPPool.objects.all()).get(pk=pool.pk)
    addresses = pool.addresses
    return Usage(
        total=addresses.span,
        used=counted.used_count,  # type: ignore[attr-defined]
        resting=counted.resting_count,  # type: ignore[attr-defined]
        reserved=addresses.span - addresses.size,
    )
