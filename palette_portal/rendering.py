"""How forms look: one template per kind of field, and selects whose options carry a second, muted text."""

from typing import Any, Self

from django import forms
from django.forms.renderers import TemplatesSetting
from django.forms.widgets import ChoiceWidget
from servestatic.storage import CompressedManifestStaticFilesStorage


class PortalRenderer(TemplatesSetting):
    form_template_name = "_components/form.html"
    field_template_name = "_components/field.html"


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Hashed names inside our modules' imports too, so that a browser never mixes two releases."""

    # Django's own switch for this reads every script, and takes a comment in htmx for an import.
    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        (
            "js/*.js",
            (
                (r"""(?m)(?P<matched>^import\s*"(?P<url>\./[^"]+)")""", 'import "%(url)s"'),
                (r"""(?P<matched>from\s*"(?P<url>\./[^"]+)")""", 'from "%(url)s"'),
            ),
        ),
    )


class WithMeta(str):
    """An option's label with a second text beside it: "1.2 TB free of 4.0 TB"."""

    meta: str

    def __new__(cls, label: str, meta: str = "") -> Self:
        text = super().__new__(cls, label)
        text.meta = meta
        return text


class _MetaOptions(ChoiceWidget):
    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(*args, **kwargs)
        option["meta"] = getattr(option["label"], "meta", "")
        return option


class RichSelect(_MetaOptions, forms.Select):
    """A native select whose options show their WithMeta text; a long one filters while the person types."""

    template_name = "_components/select.html"
    option_template_name = "_components/option.html"

    def __init__(self, attrs: dict[str, Any] | None = None, choices: Any = ()) -> None:
        super().__init__({"data-typeahead": "", **(attrs or {})}, choices)


class ChoiceCards(_MetaOptions, forms.RadioSelect):
    """Radio buttons as cards, for two to four choices that need a sentence each."""

    template_name = "_components/choice_cards.html"
