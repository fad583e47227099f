"""What every view needs: is a part wanted, and an error that is an answer."""

from django.http import HttpRequest


class Conflict(Exception):
    """The state of things forbids it now; `reason` is the sentence that the page shows (answer 409)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_partial(request: HttpRequest) -> bool:
    """HTMX asks for a part of the page, not for the page by way of HTMX."""
    headers = request.headers
    whole_page = "HX-Boosted" in headers or headers.get("HX-History-Restore-Request") == "true"
    return headers.get("HX-Request") == "true" and not whole_page
