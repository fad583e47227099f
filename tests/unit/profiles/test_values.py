import pytest

from clusters.profiles.packs import PackVersion
from clusters.profiles.values import check_values, merge, merged_values, unused_variables, variables_used
from clusters.profiles.variables import Variable, VariableType
from clusters.profiles.yaml_text import Problem, Unreadable

PACK = PackVersion(
    "example",
    "Example",
    "add-on",
    "1.0.0",
    default_values="replicas: 2\nservice:\n  port: 80\n  name: web\n",
    schema={
        "type": "object",
        "additionalProperties": False,
        "required": ["replicas", "service"],
        "properties": {
            "replicas": {"type": "integer", "minimum": 1, "maximum": 9},
            "enabled": {"type": "boolean"},
            "mode": {"enum": ["fast", "safe"]},
            "networks": {
                "type": "array",
                "minItems": 1,
                "uniqueItems": True,
                "items": {"type": "string", "format": "cidr", "description": "such as 10.0.0.0/8."},
            },
            "service": {
                "type": "object",
                "additionalProperties": False,
                "required": ["port"],
                "properties": {
                    "port": {"type": "integer"},
                    "name": {"type": "string", "minLength": 3, "maxLength": 8, "pattern": "^[a-z]+$"},
                },
            },
        },
    },
)


def problems(text, variables=(), given=None):
    return [(problem.line, problem.message) for problem in check_values(PACK, text, variables, given)]


def test_defaults_alone_are_fine():
    assert problems("") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("replicas: many", (1, "replicas must be a whole number.")),
        ("# first\n\nreplicas: 0", (3, "replicas must be at least 1.")),
        ("replicas: 10", (1, "replicas must be at most 9.")),
        ("enabled: yes", (1, "enabled must be true or false.")),
        ("mode: quick", (1, "mode must be one of fast, safe.")),
        ("a: 1\nreplicas: 3", (1, "a is not known here.")),
        ("service:\n  port: 1\n  colour: red", (3, "service.colour is not known here.")),
        ("replicas: 3\nservice:\n  port: null", (2, "service.port is missing.")),
        ("service:\n  name: ab", (2, "service.name needs at least 3 characters.")),
        ("service:\n  name: abcdefghij", (2, "service.name has more than 8 characters.")),
        ("service:\n  name: ABC", (2, "service.name does not have the right form.")),
        ("networks: []", (1, "networks needs an entry.")),
        ("networks:\n  - 10.0.0.0/8\n  - 10.0.0.0/8", (1, "networks has an entry twice.")),
        (
            "networks:\n  - 10.0.0.0/8\n  - here",
            (3, "networks[1] does not have the right form: such as 10.0.0.0/8."),
        ),
        ("service: web", (1, "service must be a list of names and values.")),
        ("- a\n- b", (1, "Values are names with a colon and a value each.")),
        ("replicas: [", (1, "This is not YAML: expected the node content, but found '<stream end>'.")),
    ],
)
def test_problem_stands_at_its_line(text, found):
    assert problems(text) == [found]


def test_all_problems_come_at_once_in_their_order():
    assert [line for line, _ in problems("mode: x\nreplicas: 0\nservice:\n  port: x")] == [1, 2, 4]


def test_missing_default_that_was_taken_away_is_told():
    assert problems("replicas: null") == [(1, "replicas is missing.")]


def test_variable_that_is_not_defined_is_told_at_its_line():
    text = "replicas: {{.spectro.var.COUNT}}\nservice:\n  name: x{{.spectro.var.NAME}}"

    assert problems(text) == [
        (1, "The variable COUNT is not defined."),
        (3, "The variable NAME is not defined."),
    ]


def test_system_placeholder_is_refused():
    assert "Only variables" in problems("service:\n  name: '{{.spectro.system.user}}'")[0][1]


def test_other_braces_are_text():
    assert merged_values(PACK, "service:\n  name: '{{ .Values.x }}'")["service"]["name"] == "{{ .Values.x }}"


def test_key_with_a_variable_is_refused():
    assert problems("{{.spectro.var.X}}x: 1", [Variable("X")]) != []
    assert problems("'{{.spectro.var.X}}': 1", [Variable("X")]) == [
        (1, "A key is plain text, without a variable.")
    ]


def test_variable_without_value_is_checked_later():
    count = Variable("COUNT", type=VariableType.NUMBER)
    text = "replicas: {{.spectro.var.COUNT}}\nmode: x"

    assert problems(text, [count]) == [(2, "mode must be one of fast, safe.")]
    assert problems("replicas: {{.spectro.var.COUNT}}", [count], {"COUNT": "12"}) == [
        (1, "replicas must be at most 9.")
    ]


def test_default_of_a_variable_is_checked():
    count = Variable("COUNT", type=VariableType.NUMBER, default="12")

    assert problems("replicas: {{.spectro.var.COUNT}}", [count]) == [(1, "replicas must be at most 9.")]


def test_variable_of_the_wrong_type_is_told():
    assert problems("replicas: {{.spectro.var.COUNT}}", [Variable("COUNT", default="3")]) == [
        (1, "replicas must be a whole number.")
    ]


def test_masked_value_stands_in_no_problem():
    secret = Variable("SECRET", masked=True)
    text = "service:\n  name: '{{.spectro.var.SECRET}}'\nreplicas: {{.spectro.var.SECRET}}"

    told = problems(text, [secret], {"SECRET": "hunter2-hunter2"})

    assert [line for line, _ in told] == [2, 2, 3]
    assert "hunter2" not in str(told)


def test_unquoted_variable_has_its_type_and_quoted_one_is_text():
    count = Variable("COUNT", type=VariableType.NUMBER)
    text = "replicas: {{ .spectro.var.COUNT }}\nservice:\n  name: '{{ .spectro.var.COUNT }}'"

    merged = merged_values(PACK, text, variables=[count], given={"COUNT": "5"})

    assert (merged["replicas"], merged["service"]["name"]) == (5, "5")


@pytest.mark.parametrize("value", ["a: b", "x\n  port: 1", '" }} {{', "{{.spectro.var.B}}", "# no"])
def test_value_of_a_variable_cannot_change_the_structure(value):
    text = "service:\n  name: '{{.spectro.var.A}}'"

    merged = merged_values(PACK, text, variables=[Variable("A"), Variable("B")], given={"A": value, "B": "b"})

    assert merged == {"replicas": 2, "service": {"port": 80, "name": value}}


def test_later_texts_stand_over_earlier_ones():
    assert merged_values(PACK, "replicas: 3", "service:\n  port: 443") == {
        "replicas": 3,
        "service": {"port": 443, "name": "web"},
    }


def test_values_with_a_problem_are_not_merged():
    with pytest.raises(Unreadable):
        merged_values(PACK, "replicas: {{.spectro.var.NOBODY}}")


def test_merge_replaces_lists_and_null_takes_away():
    assert merge({"a": [1, 2], "b": 1, "c": {"d": 1}}, {"a": [3], "b": None, "c": {"e": 2}}) == {
        "a": [3],
        "c": {"d": 1, "e": 2},
    }


def test_variables_used_are_found_everywhere_but_in_broken_text():
    text = (
        "a: {{.spectro.var.A}}\nb: ['x{{.spectro.var.B}}y{{ .spectro.var.C }}']\nc: |\n  {{.spectro.var.D}}"
    )

    assert variables_used(text) == {"A", "B", "C", "D"}
    assert variables_used("a: [{{.spectro.var.A}}") == set()


def test_unused_variables_are_those_that_no_text_names():
    variables = [Variable("A"), Variable("B")]

    assert unused_variables(variables, ["x: {{.spectro.var.A}}", ""]) == [Variable("B")]


def test_problems_sort_by_line():
    assert sorted([Problem(2, "a"), Problem(1, "b")])[0].line == 1


def test_variable_that_was_left_empty_leaves_out_its_key_and_is_empty_text():
    names = [Variable("A"), Variable("B", type=VariableType.NUMBER)]
    text = (
        "replicas: {{.spectro.var.B}}\nnetworks: [10.0.0.0/8, {{.spectro.var.A}}]\n"
        "service:\n  name: 'x{{.spectro.var.A}}yz'"
    )

    merged = merged_values(PACK, text, variables=names, given={})

    assert merged == {"replicas": 2, "networks": ["10.0.0.0/8"], "service": {"port": 80, "name": "xyz"}}


def test_empty_text_of_a_variable_is_checked_when_all_values_are_given():
    text = "service:\n  name: '{{.spectro.var.A}}'"

    assert problems(text, [Variable("A")]) == []
    assert problems(text, [Variable("A")], {}) == [
        (2, "service.name does not have the right form."),
        (2, "service.name needs at least 3 characters."),
    ]


def test_value_that_does_not_fit_its_variable_is_left_to_the_check_of_variables():
    count = Variable("COUNT", type=VariableType.NUMBER)

    assert problems("replicas: {{.spectro.var.COUNT}}", [count], {"COUNT": "many"}) == []


def test_needed_value_that_is_missing_is_left_to_the_check_of_variables():
    assert problems("service:\n  name: '{{.spectro.var.A}}'", [Variable("A", required=True)], {}) == []
