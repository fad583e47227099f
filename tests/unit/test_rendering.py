from django import forms

from palette_portal.rendering import ChoiceCards, RichSelect, WithMeta

STORES = [("", "Select…"), ("datastore-1", WithMeta("west-san-1", "1.2 TB free of 4.0 TB"))]


class ExampleForm(forms.Form):
    name = forms.CharField(help_text="As in vSphere.")
    ntp = forms.CharField(label="NTP servers", required=False)
    store = forms.ChoiceField(choices=STORES, widget=RichSelect)
    size = forms.ChoiceField(choices=[("1", WithMeta("1 node", "Not <HA>"))], widget=ChoiceCards)
    agreed = forms.BooleanField(label="I saw it")


def test_field_says_which_are_optional() -> None:
    drawn = str(ExampleForm())

    assert drawn.count(">Optional<") == 1
    assert drawn.index("NTP servers") < drawn.index(">Optional<")


def test_field_ties_help_and_error_to_the_control() -> None:
    drawn = ExampleForm({})["name"].as_field_group()

    assert 'aria-describedby="id_name_helptext id_name_error"' in drawn
    assert 'id="id_name_helptext"' in drawn
    assert 'id="id_name_error"' in drawn
    assert 'aria-invalid="true"' in drawn


def test_select_shows_the_second_text_of_an_option() -> None:
    drawn = str(ExampleForm()["store"])

    assert "<span>west-san-1</span> <small>1.2 TB free of 4.0 TB</small>" in drawn
    assert drawn.count("<small>") == 1
    assert "data-typeahead" in drawn


def test_select_keeps_the_choice() -> None:
    form = ExampleForm({"store": "datastore-1"})

    assert 'value="datastore-1" selected' in str(form["store"])
    assert form["store"].errors == []


def test_choice_cards_escape_and_group() -> None:
    drawn = ExampleForm()["size"].as_field_group()

    assert "<small>Not &lt;HA&gt;</small>" in drawn
    assert "<legend>Size</legend>" in drawn


def test_checkbox_stands_before_its_label() -> None:
    drawn = ExampleForm()["agreed"].as_field_group()

    assert drawn.index("<input") < drawn.index("<label")


def test_form_errors_are_announced() -> None:
    form = ExampleForm({})
    form.add_error(None, "Not together.")

    assert 'role="alert"' in str(form)
    assert "Not together." in str(form)
