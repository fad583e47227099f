from clusters.profiles.diffs import differences
from clusters.profiles.render import PlainLayer
from clusters.profiles.variables import Variable

CALICO = PlainLayer("cni", "calico", "3.32.2")
METALLB = PlainLayer("add-on", "metallb", "0.15.3")


def marked(difference):
    return [line.mark + line.text for line in difference.lines if line.mark in "+-"]


def test_same_layers_have_no_difference():
    assert differences([CALICO, METALLB], [METALLB, CALICO]) == []


def test_text_that_is_the_packs_own_is_no_difference_to_none():
    from clusters.profiles.packs import find_pack

    typed = PlainLayer("cni", "calico", "3.32.2", find_pack("calico", "3.32.2").default_values)

    assert differences([CALICO], [typed]) == []


def test_changed_value_shows_both_lines():
    new = PlainLayer("cni", "calico", "3.32.2", "mtu: 1400")
    old = PlainLayer("cni", "calico", "3.32.2", "mtu: 1500")

    (found,) = differences([old], [new])

    assert (found.title, found.word, marked(found)) == (
        "Calico 3.32.2",
        "changed",
        ["-mtu: 1500", "+mtu: 1400"],
    )


def test_other_version_is_told_though_the_values_stay():
    (found,) = differences([CALICO], [PlainLayer("cni", "calico", "3.33.0")])

    assert (found.old, found.new, found.lines) == ("Calico 3.32.2", "Calico 3.33.0", ())


def test_other_pack_of_the_same_kind_is_the_same_layer():
    (found,) = differences([CALICO], [PlainLayer("cni", "cilium", "1.20.3")])

    assert (found.old, found.new, found.word) == ("Calico 3.32.2", "Cilium 1.20.3", "changed")


def test_add_on_comes_and_goes():
    (came,) = differences([], [METALLB])
    (went,) = differences([METALLB], [])

    assert (came.word, went.word) == ("added", "removed")
    assert all(line.startswith("+") for line in marked(came))
    assert all(line.startswith("-") for line in marked(went))


def test_changed_variable_is_a_difference():
    (found,) = differences(
        [], [], old_variables=[Variable("X", default="1")], new_variables=[Variable("X", default="2")]
    )

    assert found.title == "Variables"
    assert [line.strip("+- ") for line in marked(found)] == ["default: '1'", "default: '2'"]
