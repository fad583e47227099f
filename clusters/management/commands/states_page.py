"""Write docs/states.md from the transition tables, or compare it with them (--check)."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from clusters.states import CLUSTER_TRANSITIONS, MACHINE_TRANSITIONS, ClusterState, MachineState
from gateways.states import GATEWAY_TRANSITIONS, GatewayState
from palette_portal.orchestration.transitions import Transitions

_TABLES: tuple[tuple[str, str, Transitions], ...] = (
    ("Gateway", GatewayState.PENDING, GATEWAY_TRANSITIONS),
    ("Cluster", ClusterState.PENDING, CLUSTER_TRANSITIONS),
    ("Machine", MachineState.PENDING, MACHINE_TRANSITIONS),
)


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="Fail if the page differs from the tables.")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        page = Path(settings.BASE_DIR) / "docs" / "states.md"
        text = states_page()
        if not check:
            page.write_text(text)
        elif not page.exists() or page.read_text() != text:
            raise CommandError("docs/states.md differs from the tables. Run `manage.py states_page`.")


def states_page() -> str:
    parts = [
        "# States",
        "",
        "Generated from the transition tables by `manage.py states_page`; do not edit.",
        "",
    ]
    for title, first, table in _TABLES:
        parts += [f"## {title}", "", "```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
        parts += [f"    {old} --> {new}" for old in table for new in sorted(table[old])]
        parts += [f"    {old} --> [*]" for old in table if not table[old]]
        parts += ["```", ""]
    return "\n".join(parts).rstrip() + "\n"
