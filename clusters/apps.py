from importlib import import_module

from django.apps import AppConfig
from django.conf import settings

from palette_portal.encryption import decrypt, encrypt
from palette_portal.vsphere.records import SessionRecords
from palette_portal.vsphere.session import keep_records, sessions


class ClustersConfig(AppConfig):
    name = "clusters"

    def ready(self) -> None:
        sessions.configure(
            connect_seconds=settings.VSPHERE_CONNECT_TIMEOUT_SECONDS,
            read_seconds=settings.VSPHERE_READ_TIMEOUT_SECONDS,
        )
        keep_records(SessionRecords(settings.DATA / "sessions", seal=encrypt, unseal=decrypt))
        # Before workers fork, or each of them loads it at its first step.
        for module in ("preparation", "images", "machines", "nodes", "membership"):
            import_module(f"clusters.steps.{module}")
