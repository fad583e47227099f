"""Releases are data: published by a command that refuses what no gateway could use, shown to those below."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gateways.models import GatewayRelease
from gateways.releases import next_release, published_releases
from gateways.states import GatewayState
from palette_portal.tenants.models import AuditRow
from tests.factories import make_gateway, make_release

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def first_release() -> GatewayRelease:
    return make_release("1.0.0")


def publish(version: str = "1.1.0", **changed: Any) -> None:
    options = {
        "kubernetes": "1.32.3",
        "image": "r_u-2204-0-k-1323-0",
        "notes": "Kubernetes 1.32.3 and a newer kernel.",
        **changed,
    }
    given = {name: value for name, value in options.items() if value is not None}
    call_command("publish_release", version, **given)


def test_published_release_is_offered_to_gateways_below_it(
    first_release: GatewayRelease, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = make_gateway(state=GatewayState.RUNNING, release=first_release)
    make_gateway(state=GatewayState.PROVISIONING, release=first_release)

    publish()

    release = GatewayRelease.objects.get(version="1.1.0")
    assert next_release(gateway, published_releases()) == release
    assert (release.kubernetes_version, release.os_image) == ("1.32.3", "Ubuntu 22.04")
    assert "Release 1.1.0 is published. 1 gateway can be upgraded to it now." in capsys.readouterr().out
    assert AuditRow.objects.get().action == "upgrade-available"


def test_notes_can_come_from_a_file(tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("A newer kernel.\n")

    publish(notes=None, notes_file=notes)

    assert GatewayRelease.objects.get(version="1.1.0").notes == "A newer kernel."


def test_missing_notes_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        publish(notes=None, notes_file=tmp_path / "none.md")


@pytest.mark.parametrize(
    ("version", "changed", "reason"),
    [
        ("1.1", {}, "'1.1' is no version"),
        ("1.01.0", {}, "is no version"),
        ("1.1.0", {"kubernetes": "v1.32.3"}, "is no Kubernetes version"),
        ("1.1.0", {"image": "../other"}, "is no name of an image template"),
        ("1.1.0", {"os_image": " "}, "Name the operating system"),
        ("1.1.0", {"notes": " "}, "Write notes"),
        ("1.0.0", {}, "published already"),
        ("1.1.0", {"image": "r_u-2204-0-k-1312-0"}, "a new release brings its own"),
        ("0.9.0", {}, "needs a higher version"),
        ("1.1.0", {"kubernetes": "1.31.1"}, "clusters do not go back"),
        ("1.1.0", {"kubernetes": "1.33.0"}, "Publish a release in between"),
        ("1.1.0", {"kubernetes": "2.0.0"}, "one minor version at a time"),
    ],
)
def test_release_that_nobody_could_use_is_refused(version: str, changed: dict[str, str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        publish(version, **changed)

    assert GatewayRelease.objects.count() == 1


def test_versions_are_compared_as_numbers(first_release: GatewayRelease) -> None:
    publish("1.9.0", image="nine")
    publish("1.10.0", image="ten")

    gateway = make_gateway(state=GatewayState.RUNNING, release=first_release)

    found = next_release(gateway, published_releases())
    assert found is not None
    assert found.version == "1.10.0"


def test_gateway_far_behind_is_offered_the_next_minor_version_of_kubernetes(
    first_release: GatewayRelease,
) -> None:
    publish("1.1.0")
    publish("1.2.0", kubernetes="1.33.1", image="r_u-2204-0-k-1331-0")

    gateway = make_gateway(state=GatewayState.RUNNING, release=first_release)

    found = next_release(gateway, published_releases())
    assert found is not None
    assert found.version == "1.1.0"


def test_first_release_of_all_has_nothing_to_be_compared_with() -> None:
    GatewayRelease.objects.all().delete()

    publish("0.1.0", kubernetes="1.28.0")

    assert GatewayRelease.objects.count() == 1


def test_nothing_is_offered_to_the_newest_to_one_under_way_or_to_the_portals_own(
    first_release: GatewayRelease,
) -> None:
    publish()
    newest = GatewayRelease.objects.get(version="1.1.0")
    releases = published_releases()

    assert next_release(make_gateway(state=GatewayState.RUNNING, release=newest), releases) is None
    assert next_release(make_gateway(state=GatewayState.PENDING, release=first_release), releases) is None
    upgrading = make_gateway(state=GatewayState.RUNNING, release=first_release, upgrading_to=newest)
    assert next_release(upgrading, releases) is None
    system = make_gateway(registered=False, name="System gateway", is_system=True, state=GatewayState.RUNNING)
    assert next_release(system, releases) is None
