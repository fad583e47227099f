"""The OVF 1.1 descriptor of the installer (DMTF DSP0243), as vSphere 6.7 U2 and later import it."""

from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from gateways.installer.ova.user_data import packed_user_data
from gateways.installer.properties import PROPERTIES, Property

OVF = "http://schemas.dmtf.org/ovf/envelope/1"
VMW = "http://www.vmware.com/schema/ovf"
_CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2"
RASD = f"{_CIM}/CIM_ResourceAllocationSettingData"
VSSD = f"{_CIM}/CIM_VirtualSystemSettingData"
STREAM_OPTIMIZED = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
NETWORK = "Installer network"
PRODUCT = "Palette gateway installer"
# DSP0243 forbids dots in a key: the guest reads CLASS.KEY, which is the property's id.
_CLASS = "palette"


@dataclass(frozen=True)
class Appliance:
    name: str
    version: str
    cpus: int
    memory_mib: int
    disk_gib: int
    disk_file: str
    disk_file_bytes: int


def render(appliance: Appliance) -> bytes:
    for prefix, uri in {"ovf": OVF, "vmw": VMW, "rasd": RASD, "vssd": VSSD}.items():
        ElementTree.register_namespace(prefix, uri)
    envelope = Element(f"{{{OVF}}}Envelope")
    _add_disk(envelope, appliance)
    _add_network(envelope)
    system = _add(envelope, "VirtualSystem", id=appliance.name)
    _add(system, "Info", "The virtual machine that registers a private cloud gateway")
    _add(system, "Name", appliance.name)
    _add_operating_system(system)
    _add_hardware(system, appliance)
    _add_properties(system, appliance)
    _add_user_data(system)
    ElementTree.indent(envelope)
    text: bytes = ElementTree.tostring(envelope, encoding="UTF-8", xml_declaration=True)
    return text + b"\n"


def _add(parent: Element, tag: str, text: str = "", **attributes: str) -> Element:
    named = {f"{{{OVF}}}{name}": value for name, value in attributes.items()}
    element = ElementTree.SubElement(parent, f"{{{OVF}}}{tag}", named)
    element.text = text or None
    return element


def _add_disk(envelope: Element, appliance: Appliance) -> None:
    references = _add(envelope, "References")
    _add(references, "File", id="file1", href=appliance.disk_file, size=str(appliance.disk_file_bytes))
    section = _add(envelope, "DiskSection")
    _add(section, "Info", "Virtual disks")
    _add(
        section,
        "Disk",
        diskId="disk1",
        fileRef="file1",
        capacity=str(appliance.disk_gib),
        capacityAllocationUnits="byte * 2^30",
        format=STREAM_OPTIMIZED,
    )


def _add_network(envelope: Element) -> None:
    section = _add(envelope, "NetworkSection")
    _add(section, "Info", "Networks")
    network = _add(section, "Network", name=NETWORK)
    _add(network, "Description", "With DHCP, and a way to the Palette portal")


def _add_operating_system(system: Element) -> None:
    section = _add(system, "OperatingSystemSection", id="94")  # CIM: Ubuntu 64-bit
    section.set(f"{{{VMW}}}osType", "ubuntu64Guest")
    _add(section, "Info", "Guest operating system")


def _add_hardware(system: Element, appliance: Appliance) -> None:
    section = _add(system, "VirtualHardwareSection", transport="com.vmware.guestInfo")
    _add(section, "Info", "Virtual hardware")
    kind = _add(section, "System")
    names = {"ElementName": "Virtual Hardware Family", "InstanceID": "0"}
    _fill(kind, VSSD, **names, VirtualSystemIdentifier=appliance.name, VirtualSystemType="vmx-15")
    for number, item in enumerate(_hardware(appliance), start=1):
        _fill(_add(section, "Item"), RASD, **item, InstanceID=str(number))


def _hardware(appliance: Appliance) -> list[dict[str, str]]:
    """InstanceIDs follow the order, so the disk's Parent 3 is the SCSI controller."""
    cpus, memory = str(appliance.cpus), str(appliance.memory_mib)
    return [
        {
            "AllocationUnits": "hertz * 10^6",
            "ElementName": f"{cpus} virtual CPUs",
            "ResourceType": "3",
            "VirtualQuantity": cpus,
        },
        {
            "AllocationUnits": "byte * 2^20",
            "ElementName": f"{memory} MiB of memory",
            "ResourceType": "4",
            "VirtualQuantity": memory,
        },
        {
            "Address": "0",
            "ElementName": "SCSI controller 0",
            "ResourceSubType": "VirtualSCSI",
            "ResourceType": "6",
        },
        {
            "AddressOnParent": "0",
            "ElementName": "Hard disk 1",
            "HostResource": "ovf:/disk/disk1",
            "Parent": "3",
            "ResourceType": "17",
        },
        {
            "AddressOnParent": "7",
            "AutomaticAllocation": "true",
            "Connection": NETWORK,
            "ElementName": "Network adapter 1",
            "ResourceSubType": "VmxNet3",
            "ResourceType": "10",
        },
    ]


def _fill(element: Element, namespace: str, **values: str) -> None:
    """The CIM schemas want their elements in alphabetical order."""
    for name in sorted(values):
        ElementTree.SubElement(element, f"{{{namespace}}}{name}").text = values[name]


def _add_properties(system: Element, appliance: Appliance) -> None:
    section = ElementTree.SubElement(system, f"{{{OVF}}}ProductSection", {f"{{{OVF}}}class": _CLASS})
    _add(section, "Info", "How the installer reaches the Palette portal")
    _add(section, "Product", PRODUCT)
    _add(section, "Version", appliance.version)
    for category, is_proxy in (("Palette", False), ("Proxy", True)):
        _add(section, "Category", category)
        for item in PROPERTIES:
            if item.is_proxy == is_proxy:
                _add_property(section, item)


def _add_property(section: Element, item: Property) -> None:
    attributes = {"key": item.id.removeprefix(f"{_CLASS}."), "type": "string", "userConfigurable": "true"}
    if item.required:
        attributes["qualifiers"] = "MinLen(1)"
    if item.is_secret and item.is_proxy:
        # Not the pairing code: it is good for an hour, and to be compared with the portal's by eye.
        attributes["password"] = "true"
    element = _add(section, "Property", **attributes, value=item.default)
    _add(element, "Label", item.label)
    _add(element, "Description", f"{item.description} {item.rule}")


def _add_user_data(system: Element) -> None:
    """Without a class: cloud-init asks for exactly this key."""
    section = _add(system, "ProductSection")
    _add(section, "Info", "What makes the plain disk an installer")
    value = packed_user_data()
    element = _add(section, "Property", key="user-data", type="string", userConfigurable="false", value=value)
    _add(element, "Label", "Encoded user-data")
    _add(element, "Description", "For cloud-init; do not change.")
