"""What the Configure wizard asks of each page's form, so that one view serves them all."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from django import forms
from django.http import QueryDict

from gateways.models import ConfigureDraft
from palette_portal.tenants.models import User


class WizardForm(forms.Form):
    page: ClassVar[str]
    # Who sent it: set before it is asked whether it is valid.
    by: User

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.error_messages["required"] = f"Fill in {field.label}."

    @classmethod
    def open(cls, draft: ConfigureDraft, data: QueryDict | None = None) -> Self:
        """The form as the draft has it, or with what was sent. Raise VSphereError if it needs vCenter."""
        raise NotImplementedError

    @classmethod
    def typed(cls, draft: ConfigureDraft, data: QueryDict) -> dict[str, Any]:
        """What to keep of values that were not checked; never a secret. A locked select sends nothing."""
        return {name: str(data[name]).strip() for name in cls.base_fields if name in data}

    @classmethod
    def typed_columns(cls, draft: ConfigureDraft, data: QueryDict) -> dict[str, Any]:
        """Columns of the draft to change with `typed`."""
        return {}

    def values(self) -> dict[str, Any]:
        """What an accepted form knows, as plain JSON."""
        raise NotImplementedError

    def columns(self) -> dict[str, Any]:
        """Columns of the draft to change with `values`."""
        return {}

    def reopens(self, draft: ConfigureDraft) -> Mapping[str, str]:
        """Later pages that do not fit any more, with the reason for the person."""
        return {}
