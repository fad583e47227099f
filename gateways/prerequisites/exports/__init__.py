"""A report as a file: a table for people, and scripts that give the account what it lacks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateways.prerequisites.exports.govc import govc_script
from gateways.prerequisites.exports.powercli import powercli_script
from gateways.prerequisites.exports.spreadsheet import spreadsheet
from gateways.prerequisites.report import Report

__all__ = ["EXPORTS", "Export"]


@dataclass(frozen=True)
class Export:
    title: str
    ending: str
    content_type: str
    write: Callable[[Report], str]
    # A script has nothing to do when no privilege is missing.
    is_script: bool = True


EXPORTS: Mapping[str, Export] = {
    "csv": Export("CSV", "csv", "text/csv; charset=utf-8", spreadsheet, is_script=False),
    "powercli": Export("PowerCLI script", "ps1", "text/plain; charset=utf-8", powercli_script),
    "govc": Export("govc script", "sh", "text/plain; charset=utf-8", govc_script),
}
