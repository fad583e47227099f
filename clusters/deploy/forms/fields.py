"""Lists as Kubernetes and vSphere write them: tags, labels, taints."""

import re
from collections.abc import Iterable
from typing import Any

from palette_portal.bootstrap.nodes import TaintEffect
from palette_portal.fields import ListField

# What Kubernetes takes: a name of 63 characters with an optional DNS prefix, a value of 63 characters.
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_TAG = re.compile(r"[^\s:,;]{1,63}(:[^\s:,;]{1,63})?")
RESERVED_PREFIXES = ("kubernetes.io", "k8s.io")
EFFECTS = tuple(effect.value for effect in TaintEffect)


def is_label_key(text: str) -> bool:
    prefix, slash, name = text.rpartition("/")
    return bool(_NAME.fullmatch(name)) and (not slash or bool(_PREFIX.fullmatch(prefix)))


def is_label_value(text: str) -> bool:
    return text == "" or bool(_NAME.fullmatch(text))


def is_reserved(key: str) -> bool:
    """Nodes may not be given labels under Kubernetes' own names, but for a few that it allows itself."""
    prefix = key.rpartition("/")[0]
    return any(prefix == own or prefix.endswith("." + own) for own in RESERVED_PREFIXES)


class TagsField(ListField):
    """`key` or `key:value`, separated by commas."""

    def problems(self, values: list[str]) -> Iterable[str]:
        wrong = [value for value in values if not _TAG.fullmatch(value)]
        yield from (
            f"“{value}” is not a tag: write key or key:value, each of up to 63 characters." for value in wrong
        )
        keys = [value.partition(":")[0] for value in values]
        yield from (f"“{key}” is there twice with different values." for key in _doubles(keys))


class LabelsField(ListField):
    """`key=value` or `key=`, separated by commas; cleaned to a dictionary."""

    def prepare_value(self, value: Any) -> Any:
        return (
            self.separator.join(f"{key}={text}" for key, text in value.items())
            if isinstance(value, dict)
            else value
        )

    def clean(self, value: Any) -> Any:
        pairs = (text.partition("=") for text in super().clean(value))
        return {key: text for key, _, text in pairs}

    def problems(self, values: list[str]) -> Iterable[str]:
        pairs = [value.partition("=") for value in values]
        for whole, (key, equals, text) in zip(values, pairs, strict=True):
            if not equals or not is_label_key(key) or not is_label_value(text):
                yield f"“{whole}” is not a label: write key=value with letters, digits, “-”, “_” and “.”."
            elif is_reserved(key):
                own = f"example.com/{key.rpartition('/')[2]}"
                yield f"“{key}” belongs to Kubernetes. Use a name of your own, such as {own}."
        yield from (f"“{key}” is there twice." for key in _doubles([key for key, _, _ in pairs]))


class TaintsField(ListField):
    """`key=value:Effect` or `key:Effect`, as kubectl writes them; cleaned to dictionaries."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(taint, dict) for taint in value):
            return self.separator.join(taint_in_words(taint) for taint in value)
        return value

    def clean(self, value: Any) -> Any:
        return [_taint(text) for text in super().clean(value)]

    def problems(self, values: list[str]) -> Iterable[str]:
        for whole in values:
            taint = _taint(whole)
            if taint["effect"] not in EFFECTS:
                yield f"“{whole}” needs an effect at its end: {', '.join(EFFECTS[:-1])} or {EFFECTS[-1]}."
            elif not is_label_key(taint["key"]) or not is_label_value(taint["value"]):
                yield f"“{whole}” is not a taint: write key=value:Effect."
        pairs = [f"{taint['key']}:{taint['effect']}" for taint in map(_taint, values)]
        yield from (f"“{pair}” is there twice." for pair in _doubles(pairs))


def taint_in_words(taint: dict[str, str]) -> str:
    value = f"={taint['value']}" if taint["value"] else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def _taint(text: str) -> dict[str, str]:
    named, _, effect = text.rpartition(":")
    key, _, value = named.partition("=")
    return {"key": key, "value": value, "effect": effect}


def _doubles(texts: list[str]) -> list[str]:
    return sorted({text for text in texts if texts.count(text) > 1})
