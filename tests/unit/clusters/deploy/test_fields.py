import pytest
from django.core.exceptions import ValidationError

from clusters.deploy.forms.fields import LabelsField, TagsField, TaintsField


def test_tags_are_keys_or_pairs_without_doubles() -> None:
    assert TagsField().clean("env:prod, critical env:prod") == ["env:prod", "critical"]


@pytest.mark.parametrize("text", ["a:b:c", ":prod", "env:", "x" * 64, "env:prod,env:test"])
def test_tags_that_vsphere_would_not_take_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TagsField().clean(text)


def test_labels_become_a_dictionary() -> None:
    assert LabelsField().clean("tier=web, acme.test/rack=7, empty=") == {
        "tier": "web",
        "acme.test/rack": "7",
        "empty": "",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("=web", "is not a label"),
        ("my tier=web", "“my” is not a label"),
        ("tier=-web", "is not a label"),
        ("Acme.test/x=1", "is not a label"),
        ("a" * 64 + "=1", "is not a label"),
        ("node-role.kubernetes.io/gpu=", "such as example.com/gpu"),
        ("k8s.io/x=1", "belongs to Kubernetes"),
        ("a=1,a=2", "“a” is there twice"),
    ],
)
def test_labels_that_kubernetes_refuses_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LabelsField().clean(text)


def test_taints_become_dictionaries() -> None:
    assert TaintsField().clean("dedicated=gpu:NoSchedule, spot:NoExecute") == [
        {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"},
        {"key": "spot", "value": "", "effect": "NoExecute"},
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dedicated=gpu", "needs an effect"),
        ("dedicated=gpu:Never", "NoSchedule, PreferNoSchedule or NoExecute"),
        ("=gpu:NoSchedule", "is not a taint"),
        ("a=1:NoSchedule,a=2:NoSchedule", "“a:NoSchedule” is there twice"),
    ],
)
def test_taints_that_kubernetes_refuses_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TaintsField().clean(text)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (LabelsField(), "tier=web, rack=7"),
        (TaintsField(), "dedicated=gpu:NoSchedule, spot:NoExecute"),
        (TagsField(), "env:prod, critical"),
    ],
)
def test_cleaned_value_is_shown_as_it_was_typed(field: LabelsField, text: str) -> None:
    assert field.prepare_value(field.clean(text)) == text
