"""Static files stand before the pages, and pages do not pay for them."""

import threading

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from palette_portal.static_files import static_files


def test_page_is_answered_without_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = static_files(lambda _: HttpResponse("a page"))
    monkeypatch.delattr(threading.Thread, "start")

    response = answer(RequestFactory().get("/clusters/"))

    assert isinstance(response, HttpResponse)
    assert response.content == b"a page"


@pytest.mark.django_db
def test_static_file_is_served_before_any_page() -> None:
    def page(_: HttpRequest) -> HttpResponse:
        raise AssertionError("No page is asked for a file.")

    response = static_files(page)(RequestFactory().get("/static/css/base.css"))

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/css")
    response.close()


def test_static_file_says_its_type_is_meant(client: Client) -> None:
    response = client.get("/static/css/base.css")

    assert response["X-Content-Type-Options"] == "nosniff"
    assert b"".join(response).strip()


@pytest.mark.django_db
def test_static_file_that_does_not_exist_is_not_found(client: Client) -> None:
    assert client.get("/static/css/no-such-file.css").status_code == 404
