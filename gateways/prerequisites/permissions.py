"""Whether the account holds what the tables ask for, on each object; objects of one kind that lack the same
are one line."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby

from gateways.prerequisites.report import Level, Line, Target
from gateways.prerequisites.table import READ_ONLY, ROLE_NAMES, ROLE_TITLES, Table
from gateways.prerequisites.words import are, listed

NAMED = 3  # so many privileges are named in a sentence, the rest is counted


def wanted_ids(table: Table) -> frozenset[str]:
    return frozenset(privilege.id for privilege in table.privileges) | table.read_only


def privilege_lines(
    table: Table,
    targets: Sequence[Target],
    held: Mapping[str, frozenset[str]],
    known: Collection[str],
) -> Iterator[Line]:
    """`known` are the ids of this vCenter: it is not asked for others. Empty = it did not say."""
    verdicts = [(target, *_verdict(table, target, held.get(target.moid), known)) for target in targets]
    kinds = list(table.kinds)
    ordered = sorted(verdicts, key=lambda verdict: (kinds.index(verdict[0].kind), sorted(verdict[1])))
    for (kind, missing), group in groupby(ordered, key=lambda verdict: (verdict[0].kind, verdict[1])):
        same = list(group)
        yield _line(table, kind, missing, [verdict[0] for verdict in same], [verdict[2] for verdict in same])


Verdict = tuple[frozenset[str], frozenset[str]]


def _verdict(table: Table, target: Target, held: frozenset[str] | None, known: Collection[str]) -> Verdict:
    """What is missing, and what of the role is there."""
    needed = table.needed_on(target.kind)
    if known:
        needed = needed & (frozenset(known) | table.read_only)
    return needed - (held or frozenset()), needed & (held or frozenset())


def _line(
    table: Table, kind: str, missing: frozenset[str], targets: list[Target], held: list[frozenset[str]]
) -> Line:
    must = missing & table.must_on(kind)
    return Line(
        key=f"privileges:{kind}",
        level=_level(missing, must),
        object_kind=table.kinds[kind].title,
        object_name=listed([target.name for target in targets], most=2),
        sentence=_sentence(table, kind, missing, must),
        hint=_hint(table, kind) if missing else "",
        missing=tuple(sorted(missing)),
        held=tuple(sorted(frozenset[str]().union(*held))),
        targets=tuple(targets),
    )


def _level(missing: frozenset[str], must: frozenset[str]) -> Level:
    if must:
        return "failed"
    return "warning" if missing else "passed"


def _sentence(table: Table, kind: str, missing: frozenset[str], must: frozenset[str]) -> str:
    role = table.kinds[kind].role
    if not missing:
        whole = f"All privileges of the {ROLE_TITLES[role]} are there."
        return "The account may read it." if role == READ_ONLY else whole
    if not must:
        return f"{are(len(missing), 'recommended privilege')} missing: {_named(table, missing)}."
    others = f" {are(len(missing - must), 'recommended one')} missing too." if missing - must else ""
    return f"{are(len(must), 'needed privilege')} missing: {_named(table, must)}.{others}"


def _named(table: Table, ids: frozenset[str]) -> str:
    order = [privilege.id for privilege in table.privileges]
    ordered = sorted(ids, key=lambda one: order.index(one) if one in order else -1)
    return listed(ordered, most=NAMED)


def _hint(table: Table, kind: str) -> str:
    described = table.kinds[kind]
    if described.role == READ_ONLY:
        return "Give the account the role Read-only on it, without propagating to children."
    way = "propagating to children" if described.propagate else "without propagating to children"
    return f"Give the account the role {ROLE_NAMES[described.role]} on it, {way}. The scripts do it."
