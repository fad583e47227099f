from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone

from palette_portal.orchestration import events
from palette_portal.orchestration.actions import record_event
from palette_portal.orchestration.events import archive_old_events, numbered_last
from palette_portal.orchestration.models import Event, Severity
from tests.integration.orchestration.acts import make_subject, make_tenant
from tests.integration.orchestration.parallel import at_once, in_other_session


def say(subject, message, severity=Severity.INFO, **more):
    return record_event(subject=subject, severity=severity, reason="Said", message=message, **more)


@pytest.mark.django_db
def test_events_are_numbered_per_tenant():
    acme, other = make_subject(), make_subject(make_tenant("other"))

    numbers = [say(acme, "a").number, say(other, "b").number, say(acme, "c").number]

    assert numbers == [1, 1, 2]


@pytest.mark.django_db
def test_event_of_a_rolled_back_transaction_leaves_no_gap():
    subject = make_subject()
    with pytest.raises(RuntimeError), transaction.atomic():
        say(subject, "lost")
        raise RuntimeError

    assert say(subject, "kept").number == 1


@pytest.mark.django_db
def test_events_collected_are_numbered_at_the_end_in_their_order():
    subject = make_subject()
    with numbered_last():
        first, second = say(subject, "first"), say(subject, "second")
        assert first.number is None
        assert not Event.objects.exists()

    assert (first.number, second.number) == (1, 2)


@pytest.mark.django_db
def test_events_collected_before_an_error_are_not_recorded():
    with pytest.raises(RuntimeError), numbered_last():
        say(make_subject(), "lost")
        raise RuntimeError

    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_events_of_many_writers_have_no_gap_and_readers_miss_none():
    subject = make_subject()
    seen: list[int] = []

    def write():
        for n in range(25):
            with transaction.atomic():
                say(subject, f"{n}")
                if n % 5 == 0:
                    transaction.set_rollback(True)

    def follow():
        while len(seen) < 60:
            last = seen[-1] if seen else 0
            seen.extend(Event.objects.of(subject).after(last).values_list("number", flat=True))

    at_once(follow, write, write, write)

    assert seen == list(range(1, 61))


@pytest.mark.django_db(transaction=True)
def test_event_of_a_transaction_that_commits_late_is_not_overtaken():
    """A second writer waits for the first one to commit before it gets a number."""
    subject = make_subject()
    with transaction.atomic():
        say(subject, "early number, late commit")

        def write_with_little_patience():
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '50ms'")
                say(subject, "overtakes")

        with pytest.raises(Exception, match="lock timeout"):
            in_other_session(write_with_little_patience)


@pytest.mark.django_db
def test_events_newest_first_before_a_number():
    subject = make_subject()
    for n in range(5):
        say(subject, f"{n}")

    page = Event.objects.of(subject).before(None)[:2]
    older = Event.objects.of(subject).before(page[1].number)[:2]

    assert [event.number for event in (*page, *older)] == [5, 4, 3, 2]


@pytest.mark.django_db
def test_events_matching_severity_and_words():
    subject = make_subject()
    say(subject, "Cloning master-1 failed", Severity.ERROR)
    say(subject, "Cloning worker-1", object_name="worker-1")
    say(subject, "100% of nothing")

    def found(**filters):
        return [event.number for event in Event.objects.of(subject).matching(**filters).after(0)]

    assert found(severity=Severity.ERROR) == [1]
    assert found(text="CLONING") == [1, 2]
    assert found(text="cloning worker-1") == [2]
    assert found(text="100%") == [3]
    assert found(text="said") == [1, 2, 3]
    assert found() == [1, 2, 3]


@pytest.mark.django_db
def test_event_message_too_long_is_cut():
    assert len(say(make_subject(), "x" * 5000).message) == 2000


@pytest.mark.django_db
def test_old_events_are_archived_per_subject_not_deleted():
    busy = make_subject()
    quiet = make_subject(name="quiet")
    for n in range(5):
        say(busy, f"{n}")
    say(quiet, "one")

    assert archive_old_events(keep=3) == 2
    assert archive_old_events(keep=3) == 0

    assert [event.number for event in Event.objects.of(busy).current().after(0)] == [3, 4, 5]
    assert Event.objects.of(busy).count() == 5
    assert Event.objects.of(quiet).current().count() == 1


@pytest.mark.django_db
def test_archiving_looks_only_at_subjects_with_news():
    long_quiet, lively = make_subject(name="long-quiet"), make_subject(name="lively")
    for n in range(4):
        say(long_quiet, f"{n}")
        say(lively, f"{n}")
    Event.objects.of(long_quiet).update(at=timezone.now() - 2 * events.LATELY)

    assert archive_old_events(keep=3) == 1
    say(long_quiet, "news")
    assert archive_old_events(keep=3) == 2


@pytest.mark.django_db
def test_archiving_reads_only_what_is_new_among_many_events():
    lively = make_subject()
    Event.objects.bulk_create(
        Event(
            tenant_id=lively.tenant_id,
            number=1000 + n,
            subject_kind="quiet",
            subject_id=UUID(int=n % 200),
            severity=Severity.INFO,
            at=timezone.now() - 2 * events.LATELY,
        )
        for n in range(10_000)
    )
    for n in range(5):
        say(lively, f"{n}")

    assert rows_read_to_find_what_goes(keep=3) < 50
    assert archive_old_events(keep=3) == 2
    assert Event.objects.of(lively).current().count() == 3


def rows_read_to_find_what_goes(*, keep):
    """Rows and index entries that PostgreSQL visited, whatever plan it chose."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE orchestration_event")
        wanted = {"since": timezone.now() - events.LATELY, "keep": keep}
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {events._OVERFULL}", wanted)
        [[plan]] = cursor.fetchone()
    return sum(map(visited, nodes(plan["Plan"])))


def nodes(plan):
    return [plan, *(node for below in plan.get("Plans", []) for node in nodes(below))]


def visited(node):
    removed = node.get("Rows Removed by Filter", 0)
    return (node["Actual Rows"] + removed) * node["Actual Loops"]
