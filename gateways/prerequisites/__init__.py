"""Prerequisites, checked before they hurt: what the portal needs of a vCenter, and whether it is there."""

from gateways.prerequisites.actions import latest_report, start_check
from gateways.prerequisites.report import Line, Report
from gateways.prerequisites.running import run_checks
from gateways.prerequisites.scope import Place, Scope, WantedMachine

__all__ = ["Line", "Place", "Report", "Scope", "WantedMachine", "latest_report", "run_checks", "start_check"]
