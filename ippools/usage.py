"""How full pools are."""

from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils import timezone

from ippools.models import IPPool, IPPoolQuerySet


@dataclass(frozen=True)
class Usage:
    """Every address from first to last is one of: used, resting, reserved (never handed out), free.

    `promised` is how many of those that are free or will be (resting) clusters may still ask for.
    """

    total: int
    used: int
    resting: int
    reserved: int
    promised: int = 0

    @property
    def free(self) -> int:
        return max(0, self.total - self.used - self.resting - self.reserved)

    @property
    def open(self) -> int:
        """Free, and promised to nobody."""
        return max(0, self.free - self.promised)

    @property
    def missing(self) -> int:
        """More was promised than there is: the pool was made smaller, or clusters use it from before."""
        return max(0, self.promised - self.free - self.resting)

    @property
    def free_and_promised(self) -> int:
        return min(self.promised, self.free)

    @property
    def free_in_words(self) -> str:
        """After a word for the addresses: "21 addresses …"."""
        return f"free, {self.free_and_promised} of them promised" if self.free_and_promised else "free"

    @property
    def bar(self) -> list[tuple[str, float, float]]:
        """Kind, left edge and width of each part, of 1000; what exists is never too thin to be seen."""
        parts = [
            ("used", self.used),
            ("resting", self.resting),
            ("promised", self.free_and_promised),
            ("reserved", self.reserved),
        ]
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
