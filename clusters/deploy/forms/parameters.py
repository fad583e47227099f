import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django import forms
from django.forms import BoundField
from django.http import QueryDict

from clusters.deploy.drafts import PARAMETERS, page_values, variables_of
from clusters.deploy.forms.wizard_form import WizardForm, check_at_the_field
from clusters.deploy.layers import (
    ChangedLayer,
    DiffLine,
    definitions_of,
    layers_of,
    problems_of,
)
from clusters.models import DeployDraft
from clusters.profiles.variables import Variable, VariableType, check_variables
from clusters.profiles.yaml_text import Problem
from palette_portal.rendering import RichSelect

TEXT, VARIABLE, RESET = "values_", "var_", "reset-"
STORED = "Stored. Leave empty to keep it."
_PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


@dataclass(frozen=True)
class Editor:
    """One pack's values on the page."""

    changed: ChangedLayer
    field: BoundField
    problems: list[Problem]

    @property
    def name(self) -> str:
        return self.changed.name

    @property
    def diff(self) -> list[DiffLine]:
        return self.changed.diff if self.changed.is_changed else []

    @property
    def line_numbers(self) -> range:
        return range(1, self.changed.text.count("\n") + 2)

    @property
    def rows(self) -> int:
        return min(24, max(4, self.changed.text.count("\n") + 2))


class ParametersForm(WizardForm):
    """Each pack's values as YAML, and a field for every variable of the profile."""

    page = PARAMETERS

    def __init__(
        self, data: QueryDict | None = None, *, draft: DeployDraft, texts: Mapping[str, str] | None = None
    ) -> None:
        stored = variables_of(draft)
        self.definitions = definitions_of(draft)
        super().__init__(data, initial={VARIABLE + name: value for name, value in stored.items()})
        self.draft = draft
        self.stored = stored
        self.layers = layers_of(draft, _texts(data) if data is not None else texts or {})
        for variable in self.definitions:
            self.fields[VARIABLE + variable.name] = _variable_field(variable, stored)
        check_at_the_field(self)
        for layer in self.layers:
            self.fields[TEXT + layer.name] = _editor(layer)

    @classmethod
    def open(cls, draft: DeployDraft, data: QueryDict | None = None) -> Self:
        return cls(data, draft=draft, texts=page_values(draft, PARAMETERS).get("layers", {}))

    @classmethod
    def redraw(cls, draft: DeployDraft, data: QueryDict) -> Self:
        """After "Put back": that pack has the profile's values again, the others what was typed."""
        typed = cls.typed(draft, data)["layers"]
        typed.pop(str(data.get("then", "")).removeprefix(RESET), None)
        return cls(draft=draft, texts=typed)

    @classmethod
    def typed(cls, draft: DeployDraft, data: QueryDict) -> dict[str, Any]:
        return {"layers": _overrides(layers_of(draft, _texts(data)))}

    @classmethod
    def typed_columns(cls, draft: DeployDraft, data: QueryDict) -> dict[str, Any]:
        """All values of variables go to the encrypted column, secret or not."""
        given = given_variables(definitions_of(draft), variables_of(draft), data)
        return {} if given == variables_of(draft) else {"variables": json.dumps(given)}

    @property
    def editors(self) -> list[Editor]:
        return [self.editor(layer) for layer in self.layers]

    def editor(self, layer: ChangedLayer) -> Editor:
        problems = problems_of(layer, self.definitions, self.given) if self.is_bound else []
        return Editor(layer, self[TEXT + layer.name], problems)

    def editor_named(self, pack: str) -> Editor | None:
        layer = next((layer for layer in self.layers if layer.name == pack), None)
        return self.editor(layer) if layer else None

    @property
    def variable_fields(self) -> list[BoundField]:
        return [self[VARIABLE + variable.name] for variable in self.definitions]

    @property
    def given(self) -> dict[str, str]:
        data = self.data if self.is_bound else {}
        return given_variables(self.definitions, self.stored, data)

    def clean(self) -> dict[str, Any]:
        for name, error in check_variables(self.definitions, self.given).items():
            if VARIABLE + name in self.fields:
                self.add_error(VARIABLE + name, error)
        for layer in self.layers:
            for problem in problems_of(layer, self.definitions, self.given):
                self.add_error(TEXT + layer.name, f"Line {problem.line}: {problem.message}")
        return self.cleaned_data

    def values(self) -> dict[str, Any]:
        return {"layers": _overrides(self.layers), "variables": len(self.definitions)}

    def columns(self) -> dict[str, Any]:
        return {"variables": json.dumps(self.given)}


def given_variables(definitions: Any, stored: Mapping[str, str], data: Mapping[str, Any]) -> dict[str, str]:
    """What was sent, over what is stored: an empty field of a masked variable keeps its secret."""
    given = {}
    for variable in definitions:
        known = stored.get(variable.name, "")
        sent = data.get(VARIABLE + variable.name)
        value = known if sent is None or (variable.masked and not sent) else str(sent).strip()
        if value:
            given[variable.name] = value
    return given


def _texts(data: QueryDict) -> dict[str, str]:
    return {key.removeprefix(TEXT): str(data[key]) for key in data if key.startswith(TEXT)}


def _overrides(layers: list[ChangedLayer]) -> dict[str, str]:
    return {layer.name: layer.text for layer in layers if layer.is_changed}


def _editor(layer: ChangedLayer) -> forms.CharField:
    rows = min(24, max(4, layer.text.count("\n") + 2))
    widget = forms.Textarea(attrs={**_PLAIN, "class": "mono yaml", "rows": rows, "wrap": "off"})
    return forms.CharField(
        label=f"Values of {layer.pack}", required=False, initial=layer.text, strip=False, widget=widget
    )


def _variable_field(variable: Variable, stored: Mapping[str, str]) -> forms.Field:
    common: dict[str, Any] = {
        "label": variable.label,
        "required": False,
        "initial": stored.get(variable.name, "") if variable.masked is False else "",
        "help_text": _help(variable),
    }
    if variable.type is VariableType.BOOLEAN:
        empty = [("", f"As in the profile ({variable.default})" if variable.default else "Not set")]
        return forms.ChoiceField(
            choices=[*empty, ("true", "true"), ("false", "false")], widget=RichSelect, **common
        )
    field = forms.CharField(strip=not variable.masked, widget=_widget(variable, stored), **common)
    field.required = False
    return field


def _widget(variable: Variable, stored: Mapping[str, str]) -> forms.Widget:
    if variable.masked:
        placeholder = STORED if stored.get(variable.name) else ""
        return forms.PasswordInput(attrs={"autocomplete": "new-password", "placeholder": placeholder})
    return forms.TextInput(attrs={**_PLAIN, "placeholder": variable.default})


def _help(variable: Variable) -> str:
    sort = "" if variable.type is VariableType.STRING else f"{variable.type.label}."
    needed = "Needed." if variable.required and not variable.default else ""
    return " ".join(filter(None, [variable.description, sort, needed]))
