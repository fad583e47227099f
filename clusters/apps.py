from importlib import import_module

from django.apps import AppConfig
from django.conf import settings

from palette_portal.vsphere.session import sessions


class ClustersConfig(AppConfig):
    name = "clusters"

    def ready(self) -> None:
        sessions.configure(
            connect_seconds=settings.VSPHERE_CONNECT_TIMEOUT_SECONDS,
            read_seconds=settings.VSPHERE_READ_TIMEOUT_SECONDS,
        )
        # Before workers fork, or each of them loads it at its first step.
        for module in ("preparation", "machines", "nodes"):
            import_module(f"clusters.steps.{module}")
