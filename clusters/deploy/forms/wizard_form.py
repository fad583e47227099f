"""What the deploy wizard asks of each page's form, so that one view serves them all."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from django import forms
from django.forms import BoundField
from django.http import QueryDict

from clusters.models import DeployDraft
from palette_portal.tenants.models import User


class WizardForm(forms.Form):
    page: ClassVar[str]
    # Who sent it: set before it is asked whether it is valid.
    by: User
    # Not while single fields are checked: that has to be quick.
    asks_vcenter = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        say_what_is_missing(self)

    @classmethod
    def open(cls, draft: DeployDraft, data: QueryDict | None = None) -> Self:
        """The form as the draft has it, or with what was sent. Raise VSphereError if it needs vCenter."""
        raise NotImplementedError

    @classmethod
    def redraw(cls, draft: DeployDraft, data: QueryDict) -> Self:
        """After a choice: other fields, the same values, nothing refused yet."""
        raise NotImplementedError

    @classmethod
    def waiting(cls, draft: DeployDraft) -> Self:
        """Without what is read from vCenter."""
        raise NotImplementedError

    @classmethod
    def typed(cls, draft: DeployDraft, data: QueryDict) -> dict[str, Any]:
        """What to keep of values that were not checked; never a secret."""
        return {name: str(data[name]).strip() for name in cls.base_fields if name in data}

    @classmethod
    def typed_columns(cls, draft: DeployDraft, data: QueryDict) -> dict[str, Any]:
        """Columns of the draft to change with `typed`."""
        return {}

    def field_named(self, name: str) -> BoundField | None:
        """For the check of one field while the person fills in the others."""
        return self[name] if name in self.fields else None

    def values(self) -> dict[str, Any]:
        """What an accepted form knows, as plain JSON."""
        raise NotImplementedError

    def columns(self) -> dict[str, Any]:
        """Columns of the draft to change with `values`."""
        return {}

    def reopens(self, draft: DeployDraft) -> Mapping[str, str]:
        """Later pages that do not fit any more, with the reason for the person."""
        return {}


def say_what_is_missing(form: forms.Form) -> None:
    for field in form.fields.values():
        field.error_messages["required"] = f"Fill in {field.label}."


def check_at_the_field(form: forms.Form) -> None:
    """The answer to a changed field replaces that field; what was typed as a secret would be lost by it."""
    for name, field in form.fields.items():
        widget = field.widget
        is_typed = isinstance(widget, forms.TextInput | forms.Textarea)
        if is_typed and not isinstance(widget, forms.PasswordInput) and not field.disabled:
            widget.attrs |= {
                "hx-post": f"?check={form.add_prefix(name)}",
                "hx-trigger": "change",
                "hx-target": "closest .field",
                "hx-swap": "outerHTML",
                "hx-sync": "this:queue last",
            }
