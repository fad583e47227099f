import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django import forms
from django.forms import BoundField
from django.http import QueryDict

from clusters.deploy.drafts import PARAMETERS, page_values, variables_of
from clusters.deploy.forms.wizard_form import WizardForm, check_at_the_field
from clusters.deploy.layers import ChangedLayer, ChangedProfile, DiffLine, profiles_of, variables_in
from clusters.models import DeployDraft
from clusters.profiles.variables import Variable, VariableType
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


@dataclass(frozen=True)
class Section:
    """What the page asks about one profile."""

    profile: ChangedProfile
    variable_fields: Sequence[BoundField]
    editors: Sequence[Editor]


class ParametersForm(WizardForm):
    """Each pack's values as YAML, and a field for every variable of the profiles."""

    page = PARAMETERS

    def __init__(
        self, data: QueryDict | None = None, *, draft: DeployDraft, texts: Mapping[str, str] | None = None
    ) -> None:
        stored = variables_of(draft)
        self.profiles = profiles_of(draft, _texts(data) if data is not None else texts or {})
        super().__init__(data, initial={VARIABLE + key: value for key, value in stored.items()})
        self.draft = draft
        self.stored = stored
        for key, variable in self.variables.items():
            self.fields[VARIABLE + key] = _variable_field(variable, stored.get(key, ""))
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
        return {"layers": _overrides(profiles_of(draft, _texts(data)))}

    @classmethod
    def typed_columns(cls, draft: DeployDraft, data: QueryDict) -> dict[str, Any]:
        """All values of variables go to the encrypted column, secret or not."""
        given = given_variables(variables_in(draft), variables_of(draft), data)
        return {} if given == variables_of(draft) else {"variables": json.dumps(given)}

    @property
    def variables(self) -> dict[str, Variable]:
        return {key: variable for one in self.profiles for key, variable in one.variables.items()}

    @property
    def layers(self) -> list[ChangedLayer]:
        return [layer for one in self.profiles for layer in one.layers]

    @property
    def sections(self) -> list[Section]:
        return [
            Section(
                one,
                [self[VARIABLE + key] for key in one.variables],
                [self._editor(one, layer) for layer in one.layers],
            )
            for one in self.profiles
        ]

    def _editor(self, profile: ChangedProfile, layer: ChangedLayer) -> Editor:
        problems = profile.problems(layer, self.given) if self.is_bound else []
        return Editor(layer, self[TEXT + layer.name], problems)

    def editor_named(self, pack: str) -> Editor | None:
        pairs = ((one, layer) for one in self.profiles for layer in one.layers if layer.name == pack)
        return next((self._editor(one, layer) for one, layer in pairs), None)

    @property
    def given(self) -> dict[str, str]:
        data = self.data if self.is_bound else {}
        return given_variables(self.variables, self.stored, data)

    def clean(self) -> dict[str, Any]:
        for one in self.profiles:
            for key, error in one.wrong_variables(self.given).items():
                if VARIABLE + key in self.fields and VARIABLE + key not in self.errors:
                    self.add_error(VARIABLE + key, error)
            for layer in one.layers:
                for problem in one.problems(layer, self.given):
                    self.add_error(TEXT + layer.name, f"Line {problem.line}: {problem.message}")
        return self.cleaned_data

    def values(self) -> dict[str, Any]:
        return {"layers": _overrides(self.profiles), "variables": len(self.variables)}

    def columns(self) -> dict[str, Any]:
        return {"variables": json.dumps(self.given)}


def given_variables(
    variables: Mapping[str, Variable], stored: Mapping[str, str], data: Mapping[str, Any]
) -> dict[str, str]:
    """What was sent, over what is stored: an empty field of a masked variable keeps its secret."""
    given = {}
    for key, variable in variables.items():
        known = stored.get(key, "")
        sent = data.get(VARIABLE + key)
        value = known if sent is None or (variable.masked and not sent) else str(sent).strip()
        if value:
            given[key] = value
    return given


def _texts(data: QueryDict) -> dict[str, str]:
    return {key.removeprefix(TEXT): str(data[key]) for key in data if key.startswith(TEXT)}


def _overrides(profiles: Sequence[ChangedProfile]) -> dict[str, str]:
    return {layer.name: layer.text for one in profiles for layer in one.layers if layer.is_changed}


def _editor(layer: ChangedLayer) -> forms.CharField:
    rows = min(24, max(4, layer.text.count("\n") + 2))
    widget = forms.Textarea(attrs={**_PLAIN, "class": "mono yaml", "rows": rows, "wrap": "off"})
    return forms.CharField(
        label=f"Values of {layer.pack}", required=False, initial=layer.text, strip=False, widget=widget
    )


def _variable_field(variable: Variable, stored: str) -> forms.Field:
    common: dict[str, Any] = {
        "label": variable.label,
        "required": variable.needs_value and not (variable.masked and stored),
        "error_messages": {"required": variable.reason_without},
        "initial": "" if variable.masked else stored,
        "help_text": _help(variable),
    }
    if variable.type is VariableType.BOOLEAN:
        empty = [("", f"As in the profile ({variable.default})" if variable.default else "Not set")]
        return forms.ChoiceField(
            choices=[*empty, ("true", "true"), ("false", "false")], widget=RichSelect, **common
        )
    return forms.CharField(strip=not variable.masked, widget=_widget(variable, stored), **common)


def _widget(variable: Variable, stored: str) -> forms.Widget:
    if variable.masked:
        placeholder = STORED if stored else ""
        return forms.PasswordInput(attrs={"autocomplete": "new-password", "placeholder": placeholder})
    return forms.TextInput(attrs={**_PLAIN, "placeholder": variable.default})


def _help(variable: Variable) -> str:
    sort = "" if variable.type is VariableType.STRING else f"{variable.type.label}."
    return " ".join(filter(None, [variable.description, sort]))
