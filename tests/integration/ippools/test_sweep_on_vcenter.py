"""The check of a pool's addresses on the lab's vCenter, through the page."""

from django.test import Client
from django.urls import reverse

from palette_portal.vsphere.session import sessions
from tests.factories import amelia, make_gateway, make_pool
from tests.integration.provisioning.stage import make_account
from tests.lab.vcsim import Lab


def test_page_finds_a_machine_that_uses_an_address_of_the_pool(db: None, client: Client) -> None:
    client.force_login(amelia())
    gateway = make_gateway()
    pool = make_pool(gateway)
    with Lab() as lab:
        account = make_account(lab, gateway)
        account.is_default = True
        account.save()
        with lab.connect() as vsphere:
            machine = vsphere.create_machine("print-server", power_on=True)
            vsphere.set_options(machine, {"SET.guest.ipAddress": "10.10.183.25"})

        answer = client.get(reverse("ippools:sweep", args=[pool.pk]))
        sessions.close_all()

    assert [(stray.address, stray.vm_name) for stray in answer.context["unknown"]] == [
        ("10.10.183.25", "print-server")
    ]
