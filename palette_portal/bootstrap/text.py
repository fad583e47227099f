import json
from importlib import resources
from typing import Any

import yaml


# libyaml, which is part of PyYAML's wheels: quicker by far, and a node's documents are built often.
class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump_documents(*documents: dict[str, Any]) -> str:
    return yaml.dump_all(
        documents, Dumper=_Dumper, sort_keys=False, explicit_start=len(documents) > 1, width=1000
    )


def dump_json(document: dict[str, str]) -> str:
    """One key per line: the guest's shell script reads it that way."""
    return json.dumps(document, indent=2) + "\n"


def guest_file(name: str) -> str:
    return resources.files("palette_portal.bootstrap").joinpath("guest_files", name).read_text()
