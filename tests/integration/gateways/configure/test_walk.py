from django.urls import reverse

from clusters.models import Cluster
from gateways.models import CloudAccount
from ippools.models import IPPool
from palette_portal.tenants.models import AuditRow
from tests.integration.gateways.configure.walk import POOL, Walk, errors_of, text_of


def test_wizard_every_page_in_order(walk: Walk) -> None:
    start = walk.client.get(reverse("gateways:configure", args=[walk.gateway.pk]))
    assert start.url == walk.url("vcenter")

    after_vcenter = walk.post("vcenter", walk.vcenter())
    assert after_vcenter.url == walk.url("placement"), errors_of(after_vcenter)
    after_placement = walk.post("placement", walk.placement())
    assert after_placement.url == walk.url("addresses"), errors_of(after_placement)
    after_addresses = walk.post("addresses", POOL)
    assert after_addresses.url == walk.url("summary"), errors_of(after_addresses)
    assert walk.lab.server in text_of(walk.get("summary"))
    after_confirm = walk.confirm()

    cluster = Cluster.objects.get(gateway=walk.gateway)
    assert after_confirm.url == reverse("clusters:detail", args=[cluster.pk])
    walk.gateway.refresh_from_db()
    assert walk.gateway.state == "Provisioning"
    assert walk.gateway.vcenter_server == walk.lab.server
    assert IPPool.objects.get(gateway=walk.gateway).name == "gateway-pool"
    account = CloudAccount.objects.get(gateway=walk.gateway)
    assert account.is_default and account.password == walk.lab.password


def test_saved_page_is_in_the_audit_log_without_its_values(walk: Walk) -> None:
    walk.to_placement()

    row = AuditRow.objects.get(action="save-draft")
    assert (row.object_id, row.detail) == (str(walk.gateway.pk), {"page": "vcenter"})
