import pytest

from clusters.profiles.exchange import LARGEST_FILE, ProfileFile, WrongFile, read_file
from clusters.profiles.models import ProfileType
from clusters.profiles.render import PlainLayer
from clusters.profiles.variables import Variable, VariableType

FILE = ProfileFile(
    "East: a 'name'",
    "1.2.3",
    ProfileType.FULL,
    (
        PlainLayer("os", "ubuntu", "24.04"),
        PlainLayer("cni", "calico", "3.33.0", "# own\nmtu: 1400\n"),
        PlainLayer("add-on", "metallb", "0.15.3", "addresses: ['{{.spectro.var.RANGE}}']\n"),
    ),
    description="Two\nlines",
    variables=(Variable("RANGE", "Range", VariableType.STRING, required=True),),
)
HEAD = "apiVersion: palette-portal/v1\nkind: ClusterProfile\nname: x\nversion: 1.0.0\ntype: full\n"


def problems(text):
    with pytest.raises(WrongFile) as caught:
        read_file(text)
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_file_that_was_written_is_read_back():
    assert read_file(FILE.as_yaml()) == FILE


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HEAD + "layers: []\nowner: me", (7, "owner is not known here.")),
        (HEAD, (1, "layers is missing.")),
        (HEAD.replace("1.0.0", "one") + "layers: []", (4, "three numbers")),
        (HEAD.replace("full", "half") + "layers: []", (5, "type must be one of full, infra, add-on.")),
        (HEAD.replace("v1", "v9") + "layers: []", (1, "apiVersion must be palette-portal/v1.")),
        (
            HEAD + "layers:\n  - kind: cni\n    pack: calico\n    version: 3.33.0\n    x: 1",
            (10, "layers[0].x"),
        ),
        (HEAD + "layers:\n  - kind: cni\n    pack: flannel\n    version: '1'", (7, "no pack flannel 1")),
        (HEAD + "layers:\n  - kind: csi\n    pack: calico\n    version: 3.33.0", (7, "not for this layer")),
        (
            HEAD + "layers:\n  - kind: cni\n    pack: calico\n    version: 3.33.0\n"
            "    values: |\n      #\n      mtu: a",
            (12, "mtu must be a whole number."),
        ),
        (
            HEAD + "layers:\n  - kind: cni\n    pack: calico\n    version: 3.33.0\n    values: 'mtu: big'",
            (10, "mtu must be a whole number."),
        ),
        (
            HEAD + "layers:\n  - {kind: cni, pack: calico, version: 3.33.0}\n"
            "  - {kind: cni, pack: cilium, version: 1.20.3}",
            (8, "There is a layer cni already."),
        ),
        (HEAD + "layers: []\nvariables:\n  - name: 1X", (8, "name: Use letters")),
        (HEAD + "layers: []\nvariables:\n  - {name: A, masked: true, default: x}", (8, "default: A masked")),
        ("- a", (1, "The text must be a list of names and values.")),
        ("a: [", (1, "not YAML")),
        ("", (1, "The text must be a list of names and values.")),
        ("x" * (LARGEST_FILE + 1), (1, "longer than 512 KiB")),
        ("a: &a [x]\nb: *a", (1, "Anchors")),
        ("!!python/object/apply:os.system [id]", (1, "Tags")),
    ],
)
def test_problem_names_the_line_of_the_file(text, found):
    line, words = found

    assert any(where == line and words in message for where, message in problems(text)), problems(text)


def test_layer_that_the_type_does_not_take_is_told():
    text = HEAD.replace("full", "add-on") + "layers:\n  - {kind: os, pack: ubuntu, version: '24.04'}"

    assert problems(text) == [(7, "Add-on profiles take no such layer.")]
