"""What every view needs: is a part wanted, a page of a long list, and an error that is an answer."""

from typing import TypeVar

from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest

ROWS_PER_PAGE = 50
Row = TypeVar("Row", bound=Model)


class Conflict(Exception):
    """The state of things forbids it now; `reason` is the sentence that the page shows (answer 409)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def page_of(request: HttpRequest, rows: QuerySet[Row]) -> Page[Row]:
    """The page that the URL names; the nearest one when there is none of that number."""
    return Paginator(rows, ROWS_PER_PAGE).get_page(request.GET.get("page"))


def is_partial(request: HttpRequest) -> bool:
    """HTMX asks for a part of the page, not for the page by way of HTMX."""
    headers = request.headers
    whole_page = "HX-Boosted" in headers or headers.get("HX-History-Restore-Request") == "true"
    return headers.get("HX-Request") == "true" and not whole_page
