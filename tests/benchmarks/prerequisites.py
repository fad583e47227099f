"""The report of prerequisites for a deployment over three compute clusters: round trips to vCenter.

A round trip is a time that the portal waits for vCenter's answer, from the login of a process that has no
session yet to the last line of the report. Tags are asked for in one go over one connection (HTTP
pipelining), so the table says too how many messages the lab's vCenter counted.
"""

import os
import time
from typing import Any

from cryptography.fernet import Fernet

from palette_portal.launcher.postgres import EmbeddedPostgres
from tests.benchmarks.report import Row, report
from tests.chaos.stage import scratch_folder
from tests.lab.vcsim import Lab

COMPUTE_CLUSTERS = 3
LIMIT = 10


def main() -> None:
    with scratch_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            prepare(server.url)
            with Lab() as lab:
                report("prerequisites", *measure(lab))
        finally:
            server.destroy()


def prepare(database_url: str) -> None:
    os.environ.update(
        {
            "DJANGO_SETTINGS_MODULE": "palette_portal.settings",
            "SECRET_KEY": "only-for-this-measurement",
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "DATABASE_URL": database_url,
        }
    )
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)


def measure(lab: Lab) -> tuple[float, str, list[Row]]:
    from gateways.prerequisites.scope import EMPTY
    from palette_portal.vsphere.session import sessions

    account, scope = make_account(lab), make_scope(lab)
    rows = [
        row("deployment over 3 compute clusters", lab, account, scope),
        row("the same, session open", lab, account, scope),
    ]
    sessions.close_all()
    rows.append(row("account in general", lab, account, EMPTY))
    sessions.close_all()
    lab.set_host_time(running=False)
    rows.append(row("the first, no host with NTP", lab, account, scope))
    sessions.close_all()
    value = rows[0]["round_trips"]
    if value > LIMIT:
        raise SystemExit(f"{value} round trips, and {LIMIT} are allowed.")
    return float(value), "round trips", rows


def make_account(lab: Lab) -> Any:
    from django.utils import timezone

    from gateways.states import GatewayState
    from tests.factories import make_cloud_account, make_gateway

    gateway = make_gateway(state=GatewayState.RUNNING)
    login = {"username": lab.username, "password": lab.password, "thumbprint_sha256": lab.thumbprint_sha256}
    return make_cloud_account(gateway, vcenter_server=lab.server, checked_at=timezone.now(), **login)


def make_scope(lab: Lab) -> Any:
    """A control plane node in each of the lab's compute clusters, with everything that can be chosen."""
    from gateways.prerequisites import Place, Scope, WantedMachine
    from palette_portal.vsphere.inventory import read_inventory
    from palette_portal.vsphere.session import connect

    with connect(lab.credentials()) as vcenter:
        inventory = read_inventory(vcenter)
    datastore = next(found for found in inventory.datastores if found.name == "shared-nfs-1")
    network = next(found for found in inventory.networks if found.name == "k8s-nodes")
    clusters = inventory.compute_clusters[:COMPUTE_CLUSTERS]
    return Scope(
        datacenter_moid=inventory.datacenters[0].moid,
        folder_moid=next(found.moid for found in inventory.folders if found.name == "palette-clusters"),
        image_template="r_u-2204-0-k-1312-0",
        places=tuple(
            Place(found.name, found.moid, found.root_pool_moid, datastore.moid, network.moid)
            for found in clusters
        ),
        machines=tuple(WantedMachine(f"shop-cp-{n}", 4, 8192, 60, place=n) for n in range(len(clusters))),
    )


def row(case: str, lab: Lab, account: Any, scope: Any) -> dict[str, Any]:
    from gateways.prerequisites import run_checks

    lab.forget_calls()
    begin = time.monotonic()
    found = run_checks(account, scope)
    seconds = time.monotonic() - begin
    if found.failed:
        raise SystemExit(f"The check failed: {found.failed[0].sentence}")
    calls = lab.calls()
    rest = sum(count for call, count in calls.items() if "/" in call)
    return {
        "report": case,
        "lines": len(found.lines),
        "round_trips": found.round_trips,
        "soap_messages": sum(calls.values()) - rest,
        "rest_messages": rest,
        "ms": round(seconds * 1000),
    }


if __name__ == "__main__":
    main()
