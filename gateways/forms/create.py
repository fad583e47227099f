from dataclasses import dataclass
from typing import Any

from django import forms

from gateways.installer.properties import PROPERTIES, Property
from gateways.installer.rules import find_problems

_PREFIX = "palette."
_LONG = ("palette.ssh_public_key", "palette.no_proxy", "palette.certificate")


@dataclass(frozen=True)
class PropertyRow:
    field: forms.BoundField
    starts_proxy: bool


class InstallerPropertiesForm(forms.Form):
    """The values of vSphere's Customize Template page, checked by the installer's own rules."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for item in PROPERTIES:
            self.fields[item.id.removeprefix(_PREFIX)] = _field(item)

    def clean(self) -> dict[str, Any]:
        values = {_PREFIX + name: value for name, value in self.cleaned_data.items()}
        for property_id, problem in find_problems(values).items():
            name = property_id.removeprefix(_PREFIX)
            if name not in self.errors:
                self.add_error(name, problem)
        return self.cleaned_data

    @property
    def rows(self) -> list[PropertyRow]:
        first_proxy = next(item for item in PROPERTIES if item.is_proxy)
        return [
            PropertyRow(self[item.id.removeprefix(_PREFIX)], starts_proxy=item is first_proxy)
            for item in PROPERTIES
        ]

    def property_list(self) -> list[tuple[Property, str]]:
        """What to type into vSphere, in its order; properties left empty are left out."""
        values = ((item, self.cleaned_data[item.id.removeprefix(_PREFIX)]) for item in PROPERTIES)
        return [(item, value) for item, value in values if value]

    def text(self) -> str:
        """The same as lines to copy."""
        return "\n".join(f"{item.id}={value}" for item, value in self.property_list())


def _field(item: Property) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 2}) if item.id in _LONG else forms.TextInput()
    widget.attrs.update({"autocomplete": "off", "spellcheck": "false"})
    # Whether a value is required is one of the shared rules, so that its sentence is theirs too.
    return forms.CharField(
        label=item.label,
        help_text=f"{item.description} {item.rule}",
        initial=item.default,
        required=item.required,
        widget=widget,
    )
