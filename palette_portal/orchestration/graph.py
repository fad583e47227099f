"""Steps of one operation as a graph without cycles."""

from collections.abc import Collection, Sequence
from graphlib import CycleError, TopologicalSorter

from palette_portal.orchestration.steps import StepSpec


class InvalidSteps(ValueError):
    """The plan cannot be executed: a programming error of the app that made it."""


def check_graph(steps: Sequence[StepSpec], *, known_keys: Collection[str] = ()) -> None:
    """`known_keys` are steps that the operation has already."""
    keys = [step.key for step in steps]
    repeated = {key for key in keys if keys.count(key) > 1} | set(known_keys).intersection(keys)
    if repeated:
        raise InvalidSteps(f"Two steps have the same key: {', '.join(sorted(repeated))}.")
    unknown = {key for step in steps for key in step.depends_on} - set(keys) - set(known_keys)
    if unknown:
        raise InvalidSteps(f"A step depends on an unknown step: {', '.join(sorted(unknown))}.")
    try:
        TopologicalSorter({step.key: step.depends_on for step in steps}).prepare()
    except CycleError as error:
        raise InvalidSteps(f"Steps depend on each other in a circle: {' → '.join(error.args[1])}.") from error
