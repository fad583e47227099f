"""The descriptor, read back as vSphere reads it: namespaces, values, and what a guest will be told."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from gateways.installer.ova.descriptor import OVF, RASD, STREAM_OPTIMIZED, VSSD, Appliance, render
from gateways.installer.properties import PROPERTIES

# What a guest may be told in one message.
LARGEST_ENVIRONMENT_BYTES = 64 * 1024


def make_envelope() -> Element:
    return ElementTree.fromstring(
        render(
            Appliance(
                name="installer",
                version="1.0.0",
                cpus=4,
                memory_mib=8192,
                disk_gib=60,
                disk_file="installer-disk1.vmdk",
                disk_file_bytes=75264,
            )
        )
    )


def attribute(element: Element, name: str) -> str | None:
    return element.get(f"{{{OVF}}}{name}")


def text(element: Element, tag: str, namespace: str = OVF) -> str | None:
    return element.findtext(f"{{{namespace}}}{tag}")


def properties() -> dict[str, Element]:
    """By the name that the guest sees: CLASS.KEY, or the key where the section has no class."""
    found = {}
    for section in make_envelope().iter(f"{{{OVF}}}ProductSection"):
        prefix = f"{attribute(section, 'class')}." if attribute(section, "class") else ""
        for item in section.iter(f"{{{OVF}}}Property"):
            found[f"{prefix}{attribute(item, 'key')}"] = item
    return found


def hardware() -> dict[str | None, Element]:
    items = make_envelope().iter(f"{{{OVF}}}Item")
    return {text(item, "ResourceType", RASD): item for item in items}


def test_properties_are_the_installers_own_and_the_user_data() -> None:
    assert sorted(properties()) == sorted([*(item.id for item in PROPERTIES), "user-data"])


def test_keys_have_no_dots() -> None:
    keys = [attribute(item, "key") or "" for item in properties().values()]

    assert [key for key in keys if "." in key or ":" in key] == []


@pytest.mark.parametrize("expected", PROPERTIES, ids=lambda item: item.id)
def test_property_says_what_the_portals_page_says(expected: object) -> None:
    expected = next(item for item in PROPERTIES if item is expected)
    item = properties()[expected.id]

    assert attribute(item, "userConfigurable") == "true"
    assert attribute(item, "type") == "string"
    assert attribute(item, "value") == expected.default
    assert text(item, "Label") == expected.label
    assert text(item, "Description") == f"{expected.description} {expected.rule}"
    assert (attribute(item, "qualifiers") == "MinLen(1)") == expected.required


def test_only_what_may_hold_a_proxys_password_is_masked() -> None:
    masked = {name for name, item in properties().items() if attribute(item, "password") == "true"}

    assert masked == {"palette.http_proxy", "palette.https_proxy"}


def test_user_data_is_nobodys_to_change() -> None:
    assert attribute(properties()["user-data"], "userConfigurable") == "false"


def test_user_data_leaves_room_for_the_other_values() -> None:
    assert len(attribute(properties()["user-data"], "value") or "") < LARGEST_ENVIRONMENT_BYTES / 2


def test_hardware_is_as_asked() -> None:
    items = hardware()

    assert text(items["3"], "VirtualQuantity", RASD) == "4"
    assert text(items["4"], "VirtualQuantity", RASD) == "8192"
    assert text(items["6"], "ResourceSubType", RASD) == "VirtualSCSI"
    assert text(items["10"], "ResourceSubType", RASD) == "VmxNet3"
    assert make_envelope().find(f".//{{{VSSD}}}VirtualSystemType").text == "vmx-15"  # type: ignore[union-attr]


def test_disk_hangs_on_the_controller_and_leads_to_the_file() -> None:
    envelope, items = make_envelope(), hardware()
    disk = envelope.find(f".//{{{OVF}}}Disk")
    file = envelope.find(f".//{{{OVF}}}File")
    assert disk is not None and file is not None

    assert text(items["17"], "Parent", RASD) == text(items["6"], "InstanceID", RASD)
    assert text(items["17"], "HostResource", RASD) == f"ovf:/disk/{attribute(disk, 'diskId')}"
    assert attribute(disk, "fileRef") == attribute(file, "id")
    assert (attribute(disk, "capacity"), attribute(disk, "capacityAllocationUnits")) == ("60", "byte * 2^30")
    assert attribute(disk, "format") == STREAM_OPTIMIZED
    assert (attribute(file, "href"), attribute(file, "size")) == ("installer-disk1.vmdk", "75264")


def test_network_of_the_adapter_is_declared() -> None:
    declared = [attribute(item, "name") for item in make_envelope().iter(f"{{{OVF}}}Network")]

    assert declared == [text(hardware()["10"], "Connection", RASD)]


def test_values_come_over_vmware_tools() -> None:
    section = make_envelope().find(f".//{{{OVF}}}VirtualHardwareSection")
    assert section is not None

    assert attribute(section, "transport") == "com.vmware.guestInfo"


def test_elements_of_the_cim_schemas_are_in_their_order() -> None:
    for item in hardware().values():
        names = [child.tag for child in item]
        assert names == sorted(names)
