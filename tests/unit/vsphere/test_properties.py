from types import SimpleNamespace

import pytest

from palette_portal.vsphere.errors import SessionExpired
from palette_portal.vsphere.properties import Properties, Traversal, collect
from palette_portal.vsphere.vmomi import vim, vmodl

PropertyCollector = vmodl.query.PropertyCollector


def page(*names: str, token: str | None = None, ended: bool = False):
    missing = [PropertyCollector.MissingProperty(path="name", fault=vim.fault.NotAuthenticated())]
    return PropertyCollector.RetrieveResult(
        token=token,
        objects=[
            PropertyCollector.ObjectContent(
                obj=vim.Folder(name, None),
                propSet=[] if ended else [vmodl.DynamicProperty(name="name", val=name)],
                missingSet=missing if ended else [],
            )
            for name in names
        ],
    )


class FakeCollector:
    """Answers with prepared pages and remembers what it was asked; as the real one, ends without a token."""

    def __init__(self, *pages) -> None:
        self.pages = list(pages)
        self.asked: list[object] = []

    def RetrievePropertiesEx(self, specs, options):
        self.asked.append(specs[0])
        return self.pages.pop(0)

    def ContinueRetrievePropertiesEx(self, token):
        self.asked.append(token)
        return self.pages.pop(0)


class FakeVCenter:
    def __init__(self, collector: FakeCollector, *, closed: bool = False) -> None:
        self.content = SimpleNamespace(propertyCollector=collector)
        self.stub = SimpleNamespace(cookie="first")
        self.closed = closed

    def log_in_again(self, cookie: str) -> None:
        if self.closed:
            raise SessionExpired("The session was closed.")
        self.stub.cookie = f"after {cookie}"


ROOT = vim.Folder("group-d1", None)


def names(vcenter: FakeVCenter) -> list[str]:
    return [found.get("name") for found in collect(vcenter, [ROOT], {"Folder": ["name"]})]


def test_pages_are_read_until_there_is_no_token() -> None:
    collector = FakeCollector(page("a", "b", token="1"), page("c", token="2"), page("d"))

    assert names(FakeVCenter(collector)) == ["a", "b", "c", "d"]
    assert collector.asked[1:] == ["1", "2"]


def test_nothing_found_is_an_empty_sweep() -> None:
    assert names(FakeVCenter(FakeCollector(None))) == []


def test_ended_session_that_answers_without_values_is_renewed() -> None:
    vcenter = FakeVCenter(FakeCollector(page("a", ended=True), page("a")))

    assert names(vcenter) == ["a"]
    assert vcenter.stub.cookie == "after first"


def test_closed_session_that_answers_without_values_is_an_error() -> None:
    with pytest.raises(SessionExpired):
        names(FakeVCenter(FakeCollector(page("a", ended=True)), closed=True))


def test_each_traversal_leads_to_every_other() -> None:
    collector = FakeCollector(page("a"))
    traversals = [Traversal("Folder", "childEntity"), Traversal("Datacenter", "vmFolder")]

    list(collect(FakeVCenter(collector), [ROOT], {"Folder": ["name"]}, traversals))

    sets = collector.asked[0].objectSet[0].selectSet
    assert [selected.name for selected in sets] == ["Folder.childEntity", "Datacenter.vmFolder"]
    assert [[other.name for other in selected.selectSet] for selected in sets] == [
        ["Folder.childEntity", "Datacenter.vmFolder"]
    ] * 2


def test_missing_value_reads_as_its_default() -> None:
    found = Properties("Folder", "group-v3", {"parent": None})

    assert (found.get("name", "?"), found.moid_at("parent"), found.moids_at("children")) == ("?", "", ())
