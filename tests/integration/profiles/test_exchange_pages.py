import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from clusters.profiles.exchange import LARGEST_FILE, read_file
from clusters.profiles.models import ClusterProfile
from tests.integration.profiles.stage import make_profile, path

pytestmark = pytest.mark.django_db


def send(client, *, text="", file=None, **changes):
    data = {"scope": "tenant", "name": "", "text": text, **changes}
    if file is not None:
        data["file"] = SimpleUploadedFile("profile.yaml", file)
    return client.post(path("import"), data)


@pytest.fixture
def exported(client, admin):
    return client.get(path("version-export", make_profile(admin, name="East & Söhne"))).content.decode()


def test_export_is_a_file_that_is_read_back(client, admin):
    version = make_profile(admin, name="East & Söhne")

    response = client.get(path("version-export", version))

    assert response["Content-Disposition"] == 'attachment; filename="east-sohne-1.0.0.yaml"'
    assert read_file(response.content.decode()).name == "East & Söhne"


@pytest.mark.parametrize("way", ["text", "file"])
def test_import_makes_a_draft(client, admin, exported, way):
    sent = {"text": exported} if way == "text" else {"file": exported.encode()}

    response = send(client, name="Other", **sent)

    profile = ClusterProfile.objects.get(name="Other")
    assert response.url == path("version", profile.versions.get())
    assert not profile.versions.get().is_published


def test_import_without_file_and_text_says_what_is_missing(client, admin):
    response = send(client)

    assert (response.status_code, "Choose a file" in response.content.decode()) == (422, True)


def test_import_of_a_wrong_file_shows_its_lines(client, admin, exported):
    response = send(client, name="Other", text=exported.replace("pack: calico", "pack: flannel"))

    page = response.content.decode()
    assert response.status_code == 422
    assert "no pack flannel" in page
    assert 'class="gutter"' not in page  # the script makes it
    assert ClusterProfile.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe", "not a text in UTF-8"), (b"x" * (LARGEST_FILE + 1), "larger than 512 KiB")],
)
def test_file_that_is_no_profile_is_refused(client, admin, content, words):
    response = send(client, file=content)

    assert (response.status_code, words in response.content.decode()) == (422, True)


def test_import_with_a_name_that_is_taken_comes_back(client, admin, exported):
    response = send(client, text=exported)

    assert (response.status_code, "has this name" in response.content.decode()) == (422, True)
