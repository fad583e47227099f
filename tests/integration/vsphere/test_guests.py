from uuid import uuid4

from palette_portal.vsphere.guests import read_guests
from palette_portal.vsphere.session import VCenter
from tests.lab.vcsim import Lab


def test_guest_of_a_running_machine_tells_its_address(lab: Lab, vcenter: VCenter) -> None:
    name = f"guest-{uuid4().hex[:8]}"
    with lab.connect() as vsphere:
        machine = vsphere.create_machine(name, power_on=True)
        vsphere.set_options(machine, {"SET.guest.ipAddress": "10.10.183.77"})
        instance_uuid = machine.config.instanceUuid

    guests = {guest.name: guest for guest in read_guests(vcenter)}

    assert guests[name].instance_uuid == instance_uuid
    assert guests[name].addresses == ("10.10.183.77",)


def test_guests_are_read_in_one_sweep(vcenter: VCenter) -> None:
    before = vcenter.round_trips

    guests = read_guests(vcenter)

    assert len(guests) > 1
    assert vcenter.round_trips - before == 1
