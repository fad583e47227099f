"""List claims whose owner is gone and addresses in use on vCenter that no pool knows; --release the first."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ippools.actions.sweep import find_strays, orphaned_claims, release_orphans, vcenter_account
from ippools.models import IPPool
from palette_portal.vsphere.errors import VSphereError


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--release", action="store_true", help="Release claims whose owner is gone.")

    def handle(self, *args: Any, release: bool, **options: Any) -> None:
        for pool in IPPool.objects.select_related("gateway", "tenant"):
            self._show_orphans(pool, release=release)
            self._show_strays(pool)

    def _show_orphans(self, pool: IPPool, *, release: bool) -> None:
        orphans = list(orphaned_claims(pool))
        for claim in orphans:
            self.stdout.write(f"{pool.name}: {claim.address} is held for {claim.owner_name}, which is gone")
        if release and orphans:
            count = release_orphans(pool=pool, claim_ids=[claim.pk for claim in orphans], by=None)
            self.stdout.write(f"{pool.name}: {count} released")

    def _show_strays(self, pool: IPPool) -> None:
        account = vcenter_account(pool)
        try:
            strays = find_strays(pool, account) if account else []
        except VSphereError as error:
            self.stderr.write(f"{pool.name}: {error.sentence}")
            return
        for stray in strays:
            holder = f", but it is held for {stray.held_by}" if stray.held_by else ""
            self.stdout.write(f"{pool.name}: {stray.address} is used by {stray.vm_name}{holder}")
