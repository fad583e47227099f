import pytest

from clusters.profiles.variables import (
    LONGEST_VALUE,
    Variable,
    VariableType,
    check_definition,
    check_variables,
    read_variables,
    typed_value,
)


def error_of(variable, value):
    return check_variables([variable], {variable.name: value}).get(variable.name, "")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("number", ["0", "-3", "2.5"], ["", "x", "1e9", "0x10", "1,5"]),
        ("boolean", ["true", "false"], ["True", "yes", "1"]),
        ("ipv4", ["10.0.0.1"], ["10.0.0", "10.0.0.256", "fd00::1", "10.0.0.0/24"]),
        ("ipv4cidr", ["10.0.0.0/24"], ["10.0.0.0", "10.0.0.1/24", "10.0.0.0/33"]),
        ("ipv6", ["fd00::1"], ["10.0.0.1", "fd00:::1"]),
        ("version", ["1.2.3", "v1.2.3", "1.2.3-rc.1+build"], ["1.2", "1.2.x"]),
        ("base64", ["aGVsbG8="], ["a", "aGVsbG8*"]),
        ("string", ["anything: goes"], []),
    ],
)
def test_value_has_the_form_of_its_type(kind, good, bad):
    variable = Variable("X", type=VariableType(kind), required=True)

    assert [error_of(variable, value) for value in good] == [""] * len(good)
    assert all(error_of(variable, value) for value in bad)


def test_required_variable_without_value_or_default_is_asked_for():
    variables = [Variable("A", required=True), Variable("B", required=True, default="b"), Variable("C")]

    assert check_variables(variables, {}) == {"A": "A is needed."}


def test_value_for_no_variable_is_refused():
    assert check_variables([], {"X": "1"}) == {"X": "The profile has no such variable."}


def test_pattern_has_to_fit_the_whole_value():
    variable = Variable("X", regex="[a-z]+")

    assert error_of(variable, "abc") == ""
    assert error_of(variable, "abc1") == "It does not fit the pattern [a-z]+."


def test_pattern_that_explodes_in_other_engines_is_quick():
    assert error_of(Variable("X", regex="(a+)+$"), "a" * 4000 + "!")


def test_too_long_value_is_refused():
    assert error_of(Variable("X"), "x" * (LONGEST_VALUE + 1))


def test_error_never_quotes_the_value():
    variable = Variable("X", type=VariableType.NUMBER, masked=True, regex="[0-9]+")

    assert "hunter2" not in error_of(variable, "hunter2")


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        (Variable(""), "name"),
        (Variable("1ST"), "name"),
        (Variable("A-B"), "name"),
        (Variable("TAKEN"), "name"),
        (Variable("X", regex="("), "regex"),
        (Variable("X", regex="(?=ahead)"), "regex"),
        (Variable("X", regex="x" * 300), "regex"),
        (Variable("X", type=VariableType.IPV4, default="here"), "default"),
        (Variable("X", regex="[a-z]+", default="1"), "default"),
        (Variable("X", masked=True, default="secret"), "default"),
    ],
)
def test_definition_that_cannot_work_is_refused_at_its_field(variable, field):
    assert list(check_definition(variable, others=["TAKEN"])) == [field]


def test_definition_that_works_has_no_error():
    variable = Variable("POOL_1", type=VariableType.IPV4_CIDR, default="10.0.0.0/24", regex=r"10\..*")

    assert check_definition(variable, others=["OTHER"]) == {}


def test_variable_is_the_same_after_it_was_stored():
    variable = Variable("X", "The X", VariableType.BOOLEAN, True, "true", "", False, "Whether")

    assert read_variables([variable.as_json()]) == (variable,)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("number", "5", 5), ("number", "2.5", 2.5), ("boolean", "false", False), ("string", "5", "5")],
)
def test_typed_value_has_the_type(kind, text, value):
    found = typed_value(Variable("X", type=VariableType(kind)), text)

    assert (found, type(found)) == (value, type(value))
