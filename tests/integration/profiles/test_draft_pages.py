"""The pages that change a draft: its layers and its variables."""

import re

import pytest

from clusters.profiles import actions
from clusters.profiles.variables import Variable
from tests.integration.profiles.stage import layer, make_profile, make_published, path

pytestmark = pytest.mark.django_db


def text(response):
    return response.content.decode()


def add_metallb(version, by, values=""):
    actions.add_layer(version=version, pack="metallb", pack_version="0.15.3", values=values, by=by)


# Layers


def test_layer_page_shows_the_packs_values_until_there_are_own_ones(client, admin):
    version = make_profile(admin)

    page = text(client.get(path("layer-change", version, "calico")))

    assert "encapsulation: VXLANCrossSubnet" in page
    assert "Nothing: these are the pack" in page


def test_saved_layer_has_its_values_with_plain_line_ends(client, admin):
    version = make_profile(admin)
    sent = {"choice": "calico@3.32.2", "values": "# mine\r\nmtu: 1400\r\n"}

    response = client.post(path("layer-change", version, "calico"), sent)

    saved = layer(version, "cni")
    assert response.url == path("version", version)
    assert (saved.pack_version, saved.values) == ("3.32.2", "# mine\nmtu: 1400\n")


def test_wrong_values_come_back_with_their_lines_and_nothing_is_saved(client, admin):
    version = make_profile(admin)
    sent = {"choice": "calico@3.33.0", "values": "mtu: big\nnatOutgoing: true\nspeed: 1\n"}

    response = client.post(path("layer-change", version, "calico"), sent)

    page = text(response)
    assert response.status_code == 422
    assert re.findall('data-go-to-line="([0-9]+)"', page) == ["1", "3"]
    assert "mtu must be a whole number." in page
    assert "mtu: big\nnatOutgoing: true\nspeed: 1\n</textarea>" in page
    assert layer(version, "cni").values == ""


def test_check_saves_nothing(client, admin):
    version = make_profile(admin)
    sent = {"choice": "calico@3.33.0", "values": "mtu: 1400", "check": "1"}

    response = client.post(path("layer-change", version, "calico"), sent)

    assert (response.status_code, "The values are valid." in text(response)) == (200, True)
    assert layer(version, "cni").values == ""


def test_check_of_wrong_values_is_an_answer_and_no_refusal(client, admin):
    version = make_profile(admin)
    sent = {"choice": "calico@3.33.0", "values": "mtu: big", "check": "1"}

    response = client.post(path("layer-change", version, "calico"), sent)

    assert (response.status_code, 'data-go-to-line="1"' in text(response)) == (200, True)


def test_part_is_only_the_form(client, admin):
    version = make_profile(admin)
    sent = {"choice": "calico@3.33.0", "values": "mtu: x"}

    response = client.post(path("layer-change", version, "calico"), sent, headers={"HX-Request": "true"})

    assert (response.status_code, "<html" in text(response)) == (422, False)
    assert "HX-Request" in response["Vary"]


def test_saved_part_sends_the_browser_to_the_version(client, admin):
    version = make_profile(admin)
    sent = {"choice": "calico@3.33.0", "values": "mtu: 1400"}

    response = client.post(path("layer-change", version, "calico"), sent, headers={"HX-Request": "true"})

    assert response["HX-Redirect"] == path("version", version)


def test_other_pack_brings_its_values_and_other_version_keeps_own_ones(client, admin):
    version = make_profile(admin)
    url = path("layer-change", version, "calico")
    own = {"shown": "calico@3.33.0", "values": "mtu: 1400", "load": "1"}

    other_pack = text(client.post(url, {**own, "choice": "cilium@1.20.3"}))
    other_version = text(client.post(url, {**own, "choice": "calico@3.32.2"}))

    assert "routingMode: tunnel" in other_pack
    assert "mtu: 1400</textarea>" in other_version


def test_layer_that_another_person_removed_is_a_conflict(client, admin, monkeypatch):
    version = make_profile(admin)
    real = actions.change_layer

    def too_late(*, layer, **arguments):
        layer.version.layers.filter(pk=layer.pk).delete()
        real(layer=layer, **arguments)

    monkeypatch.setattr(actions, "change_layer", too_late)
    sent = {"choice": "calico@3.33.0", "values": ""}

    response = client.post(path("layer-change", version, "calico"), sent)

    assert (response.status_code, "Somebody removed this layer" in text(response)) == (422, True)


def test_add_on_is_added(client, admin):
    version = make_profile(admin)

    page = text(client.get(path("layer-add", version, "add-on")))
    client.post(path("layer-add", version, "add-on"), {"choice": "metallb@0.15.3", "values": ""})

    assert "MetalLB 0.15.3" in page
    assert version.layers.filter(pack="metallb").exists()


def test_choice_of_another_kind_is_refused(client, admin):
    version = make_profile(admin)

    response = client.post(path("layer-add", version, "add-on"), {"choice": "ubuntu@24.04", "values": ""})

    assert response.status_code == 422


def test_layer_pages_of_a_published_version_are_a_conflict(client, admin):
    version = make_published(admin)

    assert client.get(path("layer-change", version, "calico")).status_code == 409
    assert client.post(path("layer-remove", version, "calico")).status_code == 409


def test_layer_is_removed(client, admin):
    version = make_profile(admin)

    client.post(path("layer-remove", version, "calico"))

    assert not version.layers.filter(kind="cni").exists()


@pytest.mark.parametrize(("name", "more"), [("layer-change", "nothing"), ("layer-add", "nothing")])
def test_layer_that_there_is_not_is_not_found(client, admin, name, more):
    assert client.get(path(name, make_profile(admin), more)).status_code == 404


# Variables


def variable(**changes):
    return {"name": "RANGE", "type": "string", "default": "", "regex": "", **changes}


def test_variable_is_added_and_changed(client, admin):
    version = make_profile(admin)

    client.post(path("variable-add", version), variable(required="on"))
    client.post(path("variable-change", version, "RANGE"), variable(name="RANGE_2", masked="on"))

    version.refresh_from_db()
    assert [(row["name"], row["required"], row["masked"]) for row in version.variables] == [
        ("RANGE_2", False, True)
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "1X"}, "beginning with a letter"),
        ({"type": "ipv4", "default": "here"}, "Enter an IPv4 address"),
        ({"regex": "("}, "not a pattern"),
        ({"masked": "on", "default": "x"}, "A masked variable has no default"),
    ],
)
def test_wrong_variable_comes_back_at_its_field(client, admin, changes, words):
    version = make_profile(admin)

    response = client.post(path("variable-add", version), variable(**changes))

    assert (response.status_code, words in text(response)) == (422, True)


def test_variable_is_removed_unless_it_is_in_use(client, admin):
    version = make_profile(admin)
    for name in ("USED", "IDLE"):
        actions.set_variable(version=version, variable=Variable(name), by=admin)
    version.refresh_from_db()
    add_metallb(version, admin, "addresses: ['{{.spectro.var.USED}}']")

    statuses = [
        client.post(path("variable-remove", version, name)).status_code for name in ("USED", "IDLE", "NONE")
    ]

    assert statuses == [409, 302, 404]


def test_layer_that_another_person_changed_is_not_overwritten(client, admin):
    version = make_profile(admin)
    page = text(client.get(path("layer-change", version, "calico")))
    seen = re.search('name="seen" value="([0-9a-f]+)"', page)[1]
    actions.change_layer(
        layer=layer(version, "cni"), pack="calico", pack_version="3.33.0", values="mtu: 1300", by=admin
    )
    sent = {"choice": "calico@3.33.0", "values": "mtu: 1400", "seen": seen}

    response = client.post(path("layer-change", version, "calico"), sent)

    assert (response.status_code, "Somebody changed this layer" in text(response)) == (422, True)
    assert "mtu: 1400</textarea>" in text(response)
    assert layer(version, "cni").values == "mtu: 1300"
