import pytest

from clusters.profiles.models import ClusterProfile
from clusters.profiles.render import ClusterFacts, LayerGroup, node_inputs
from palette_portal.tenants.models import Tenant
from tests.lab.demo.seed import seed_demo

pytestmark = pytest.mark.django_db


def test_demo_has_a_published_profile_of_an_image_that_its_vcenter_has():
    seed_demo(known_passwords={})

    profile = ClusterProfile.objects.get(tenant=Tenant.objects.get(slug="demo"))
    version = profile.versions.get()
    assert (profile.name, version.version, version.is_published) == ("vSphere starter", "1.0.0", True)
    made = node_inputs([LayerGroup(list(version.layers.all()))], ClusterFacts("east"))
    assert made.image_template == "r_u-2404-0-k-1364-0"


def test_demo_that_is_seeded_again_keeps_its_one_profile():
    seed_demo(known_passwords={})
    seed_demo(known_passwords={})

    assert ClusterProfile.objects.count() == 1
