import pytest

from clusters.profiles.yaml_text import LARGEST_TEXT, Unreadable, read, scalar_value


def refused(text):
    with pytest.raises(Unreadable) as caught:
        read(text)
    return caught.value.problem


def scalar(text):
    return scalar_value(read(f"key: {text}").value[0][1])


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: [1, 2\nc: 3", 3, "not YAML"),
        ("a: 1\n\tb: 2", 2, "not YAML"),
        ("a: 1\na: 2", 2, "a stands here twice"),
        ("a: 1\nb: &anchor 2", 2, "Anchors"),
        ("a: 1\nb: *anchor", 2, "Anchors"),
        ("a: 1\nb: !!python/object:os.system x", 2, "Tags"),
        ("a: 1\nb: !secret x", 2, "Tags"),
        ("a: 1\n---\nb: 2", 2, "not YAML"),
        ("x" * (LARGEST_TEXT + 1), 1, "longer than 64 KiB"),
        ("[" * 20_000 + "]" * 20_000, 1, "nested too deeply"),
        ("a:\n" + "\n".join(" " * n + "b:" for n in range(1, 99)), 51, "nested too deeply"),
        ("a: \0", 1, "not YAML"),
    ],
)
def test_text_that_is_not_taken_names_its_line(text, line, words):
    problem = refused(text)

    assert (problem.line, words in problem.message) == (line, True)


def test_empty_text_is_no_document():
    assert read("# only a comment\n") is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-7", -7),
        ("0x1F", 31),
        ("010", "010"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("yes", "yes"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("2026-11-22", "2026-11-22"),
        ("~", None),
        ("", None),
        ('"1"', "1"),
        ("1.35.9", "1.35.9"),
    ],
)
def test_scalar_is_read_as_kubernetes_reads_it(text, value):
    found = scalar(text)

    assert (found, type(found)) == (value, type(value))
