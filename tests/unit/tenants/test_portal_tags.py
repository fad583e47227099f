from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Template
from django.utils import timezone


def render(source: str, **context: object) -> str:
    return Template("{% load portal %}" + source).render(Context(context))


def test_icon_is_hidden_from_screen_readers() -> None:
    drawn = render('{% icon "server" 14 "dim" %}')

    assert 'aria-hidden="true"' in drawn
    assert 'class="i dim"' in drawn
    assert 'width="14"' in drawn


def test_state_says_tone_icon_and_word() -> None:
    drawn = render('{% state "Provisioning" %}')

    assert 'data-tone="info"' in drawn
    assert "spin" in drawn
    assert drawn.strip().endswith("Provisioning</span>")


def test_button_with_href_is_a_link() -> None:
    drawn = render('{% button "Configure" href="/here/" tone="primary" %}')

    assert drawn.startswith("<a ")
    assert 'href="/here/"' in drawn


def test_button_passes_attributes_on() -> None:
    drawn = render('{% button "Delete" hx_get="/delete/" hx_target="#dialogs" autofocus=True value=None %}')

    assert ' hx-get="/delete/" hx-target="#dialogs" autofocus' in drawn
    assert "value" not in drawn


def test_button_escapes_what_it_is_given() -> None:
    drawn = render("{% button label data_name=name %}", label="<b>", name='"><script>')

    assert "<script>" not in drawn
    assert "&lt;b&gt;" in drawn


def test_button_with_reason_is_reachable_but_does_nothing() -> None:
    drawn = render('{% button "Delete" href="/delete/" hx_get="/delete/" reason="Not now." id="delete" %}')

    assert 'aria-disabled="true" aria-describedby="delete-why"' in drawn
    assert 'id="delete-why">Not now.</span>' in drawn
    assert "/delete/" not in drawn
    assert " disabled" not in drawn


def test_menu_item_with_reason_shows_it_below_the_label() -> None:
    drawn = render('{% menu_item "Delete" reason="Not now." id="delete" %}')

    assert '<small id="delete-why">Not now.</small>' in drawn


def test_copy_button_says_what_it_copies() -> None:
    drawn = render('{% copy "10.0.0.4" "Copy installer IP" %}')

    assert 'data-copy="10.0.0.4"' in drawn
    assert 'aria-label="Copy installer IP"' in drawn


@pytest.mark.parametrize(
    ("states", "is_complete"), [(["done", "active", "waiting"], False), (["done", "done"], True)]
)
def test_segments_say_how_far_it_is(states: list[str], is_complete: bool) -> None:
    drawn = render("{% segments states %}", states=states)

    assert drawn.count("<i ") == len(states)
    assert f'aria-valuetext="{states.count("done")} of {len(states)} steps complete"' in drawn
    assert ("data-complete" in drawn) is is_complete


def test_segments_of_nothing_are_not_complete() -> None:
    assert "data-complete" not in render("{% segments states %}", states=[])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m 00s"),
        (248, "4m 08s"),
        (3720, "1h 02m"),
        (-5, "0s"),
        (None, ""),
        ("", ""),
    ],
)
def test_duration_in_words(seconds: float | str | None, words: str) -> None:
    assert render("{{ seconds|duration }}", seconds=seconds) == words


def test_time_ago_tells_the_absolute_time_on_hover() -> None:
    at = datetime(2026, 11, 22, 17, 8, 28, tzinfo=UTC)

    drawn = render("{% time_ago at %}", at=at)

    assert 'title="2026-11-22 17:08:28 UTC"' in drawn
    assert 'datetime="2026-11-22T17:08:28+00:00"' in drawn


def test_times_that_are_not_known_are_empty() -> None:
    assert render("{% time_ago at %}{% elapsed at %}{% count_down at %}", at=None) == ""


def test_elapsed_and_count_down_have_text_before_the_script_runs() -> None:
    now = timezone.now()

    drawn = render(
        "{% elapsed ago %} {% count_down soon %}",
        ago=now - timedelta(seconds=248.5),
        soon=now + timedelta(seconds=90.5),
    )

    assert ">4m 08s</elapsed-time>" in drawn
    assert ">1m 30s</count-down>" in drawn
