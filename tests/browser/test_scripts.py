"""The script modules alone, on a page made for the test under the portal's own address and policy."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

HEAD = """<!doctype html><html lang="en"><head><title>t</title>
<meta name="htmx-config" content='{"includeIndicatorStyles":false,"allowEval":false}'>
<link rel="stylesheet" href="/static/css/tokens.css">
<link rel="stylesheet" href="/static/css/base.css">
<link rel="stylesheet" href="/static/css/forms.css">
<script src="/static/django_htmx/htmx-2.min.js" defer></script>
<script src="/static/django_htmx/ext/hx-sse-2.min.js" defer></script>
<script src="/static/js/portal.js" type="module"></script></head><body>
<div id="dialogs"></div><div class="toasts" id="toasts" popover="manual" role="status"></div>
<p role="status" id="announce"></p>"""
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data: 'self'"

Show = Callable[[str], Page]
LIVE = re.compile(r"/live(\?.*)?$")


@pytest.fixture
def show(page: Page, portal: str) -> Show:
    def open_with(body: str) -> Page:
        page.route(
            f"{portal}/made-for-the-test",
            lambda route: route.fulfill(
                body=HEAD + body, content_type="text/html", headers={"Content-Security-Policy": POLICY}
            ),
        )
        page.goto(f"{portal}/made-for-the-test")
        return page

    return open_with


def stream(page: Page, *messages: str) -> list[str]:
    """Answers every connection with the messages; gives the addresses that were asked for."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url.partition("/live")[2])
        route.fulfill(body="retry: 60000\n\n" + "".join(messages), content_type="text/event-stream")

    page.route(LIVE, answer)
    return asked


def hide(page: Page, *, hidden: bool) -> None:
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


SELECT = """<div class="field"><label for="f">Folder</label>
<select id="f" name="folder" data-typeahead required aria-describedby="h">
<option value="">Select…</option>{}</select><p id="h">Where machines go.</p></div>
<output id="out"></output>"""


def folders(count: int) -> str:
    options = (
        f'<option value="f{n}"><span>folder {n}</span> <small>{n} VMs</small></option>' for n in range(count)
    )
    return SELECT.format("".join(options))


def test_long_select_filters_while_one_types(show: Show) -> None:
    page = show(folders(30))
    box = page.get_by_role("combobox", name="Folder")

    box.fill("der 2")
    expect(page.get_by_role("option")).to_have_count(12)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(box).to_have_value("folder 12")
    expect(page.get_by_role("listbox")).to_be_hidden()
    assert page.locator("select").input_value() == "f12"
    expect(box).to_have_accessible_description("Where machines go.")


def test_long_select_keeps_the_choice_when_nothing_was_chosen(show: Show) -> None:
    page = show(folders(30))
    box = page.get_by_role("combobox", name="Folder")
    box.click()
    page.get_by_role("option", name="folder 3 3 VMs").click()

    box.fill("no such folder")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.keyboard.press("Escape")

    expect(box).to_have_value("folder 3")
    assert page.locator("select").input_value() == "f3"


def test_long_select_tells_the_form_of_a_change(show: Show) -> None:
    page = show(folders(30))
    page.evaluate(
        """document.querySelector("select").addEventListener("change",
            event => document.getElementById("out").textContent = event.target.value)"""
    )

    page.get_by_role("combobox", name="Folder").click()
    page.get_by_role("option", name="folder 7 7 VMs").click()

    expect(page.locator("#out")).to_have_text("f7")


def test_short_select_stays_native(show: Show) -> None:
    page = show(folders(5))

    page.locator("select").select_option("f4")

    expect(page.locator("select")).to_be_visible()


LOG = """<div hx-ext="sse" sse-connect="/live">
<button data-live aria-pressed="true"><span data-live-label>Live</span></button>
<table><tbody id="rows" sse-swap="log" hx-swap="afterbegin"><tr id="ev-1"><td>old</td></tr></tbody></table>
<div hidden sse-swap="patch" hx-swap="none"></div>
<div id="part"><details><summary id="s">More</summary>text</details></div></div>"""


def row(number: int) -> str:
    return f'event: log\nid: {number}\ndata: <tr id="ev-{number}"><td>row {number}</td></tr>\n\n'


def test_row_that_is_on_the_page_is_not_repeated(page: Page, show: Show) -> None:
    stream(page, row(1), row(2), row(2))

    show(LOG)

    expect(page.locator("#ev-2")).to_be_visible()
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#rows tr").first).to_have_text("row 2")


def test_stream_lets_go_while_hidden_and_resumes_after_the_last_row(page: Page, show: Show) -> None:
    asked = stream(page, row(4), row(5))
    show(LOG)
    expect(page.locator("#ev-5")).to_be_visible()

    hide(page, hidden=True)
    with page.expect_response("**/live?after=5"):
        hide(page, hidden=False)

    assert asked == ["", "?after=5"]


def test_paused_log_holds_rows_back(page: Page, show: Show) -> None:
    stream(page, row(2))
    show(LOG)
    expect(page.locator("#ev-2")).to_be_visible()
    page.unroute_all()
    stream(page, row(3), row(4))
    button = page.locator("[data-live]")

    button.click()
    hide(page, hidden=True)
    hide(page, hidden=False)
    expect(button).to_have_text("Paused, 2 new")
    assert page.locator("#rows tr").count() == 2
    button.click()

    expect(page.locator("#rows tr")).to_have_text(["row 4", "row 3", "row 2", "old"])


def test_patched_part_stays_open_and_keeps_the_focus(page: Page, show: Show) -> None:
    part = '<div id="part" hx-swap-oob="true"><details><summary id="s">More</summary>new text</details></div>'
    stream(page)
    show(LOG)
    page.locator("summary").click()
    page.unroute_all()
    stream(page, f"event: patch\ndata: {part}\n\n")

    hide(page, hidden=True)
    hide(page, hidden=False)

    expect(page.get_by_text("new text")).to_be_visible()
    expect(page.locator("summary")).to_be_focused()


def test_what_was_opened_is_found_wherever_its_list_went(page: Page, show: Show) -> None:
    def steps(*names: str) -> str:
        shown = "".join(
            f'<li id="{name}"><details><summary>{name}</summary>of {name}</details></li>' for name in names
        )
        return f'<div id="part" hx-swap-oob="true"><ol>{shown}</ol></div>'

    stream(page)
    show(
        LOG.replace(
            '<div id="part"><details><summary id="s">More</summary>text</details></div>', steps("a", "b")
        )
    )
    page.get_by_text("b", exact=True).click()
    page.unroute_all()
    stream(page, f"event: patch\ndata: {steps('c', 'b', 'd')}\n\n")

    hide(page, hidden=True)
    hide(page, hidden=False)

    expect(page.locator("#part details[open]")).to_have_text(["bof b"])
    expect(page.get_by_text("b", exact=True)).to_be_focused()


def test_part_is_not_replaced_under_a_pressed_button(page: Page, show: Show) -> None:
    part = '<div id="part" hx-swap-oob="true"><details><summary id="s">More</summary>new text</details></div>'
    stream(page)
    with page.expect_response(LIVE):
        show(LOG)
    page.unroute_all()
    stream(page, f"event: patch\ndata: {part}\n\n")
    page.locator("summary").hover()
    page.mouse.down()

    hide(page, hidden=True)
    hide(page, hidden=False)
    # When another stream of the page has heard it, the page's own has, too.
    page.evaluate("() => new Promise(heard => new EventSource('/live').addEventListener('patch', heard))")
    page.mouse.up()

    expect(page.locator("#part details")).to_have_attribute("open", "")
    expect(page.get_by_text("new text")).to_be_visible()


def test_stream_that_ended_is_not_opened_again(page: Page, show: Show) -> None:
    asked = stream(page, "event: end\ndata: over\n\n")
    show(LOG.replace('sse-connect="/live"', 'sse-connect="/live" sse-close="end"'))
    expect(page.locator("[data-live]")).to_have_text("Ended")

    hide(page, hidden=True)
    hide(page, hidden=False)
    page.locator("[data-live]").focus()

    assert asked == [""]


def test_times_tick(show: Show) -> None:
    page = show("<p id='now'></p>")
    page.clock.install()
    page.evaluate(
        """() => {
            const at = seconds => new Date(Date.now() + seconds * 1000).toISOString();
            document.body.insertAdjacentHTML("beforeend",
                `<elapsed-time since="${at(-58)}"></elapsed-time>
                 <count-down until="${at(3)}"></count-down> <time-ago datetime="${at(-7300)}"></time-ago>`);
        }"""
    )
    expect(page.locator("elapsed-time")).to_have_text("58s")
    expect(page.locator("time-ago")).to_have_text("2h ago")

    page.clock.run_for(4000)

    expect(page.locator("elapsed-time")).to_have_text("1m 02s")
    expect(page.locator("count-down")).to_have_text("a moment")


DIALOG = """<button hx-get="/dialog" hx-target="#dialogs">Delete</button>"""
FETCHED = """<dialog data-auto-open aria-label="Delete?">
<input data-must-equal="dc-east" data-focus aria-label="Name">
<button data-needs-match>Delete gateway</button><button data-close>Cancel</button></dialog>"""


def test_fetched_dialog_needs_the_name_and_goes_away(page: Page, show: Show) -> None:
    page.route("**/dialog", lambda route: route.fulfill(body=FETCHED, content_type="text/html"))
    show(DIALOG)

    page.get_by_role("button", name="Delete").click()
    name, confirm = page.get_by_label("Name"), page.get_by_role("button", name="Delete gateway")
    expect(name).to_be_focused()
    expect(confirm).to_be_disabled()
    name.fill("dc-eas")
    expect(confirm).to_be_disabled()
    name.press("t")
    name.fill("dc-east")
    expect(confirm).to_be_enabled()
    page.keyboard.press("Escape")

    expect(page.locator("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete")).to_be_focused()


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        (409, {"HX-Reswap": "none", "HX-Trigger": '{"action-refused": {"reason": "It runs."}}'}, "It runs."),
        (403, {"HX-Reswap": "none", "HX-Trigger": '{"action-refused": {"reason": "Not you."}}'}, "Not you."),
        (404, {}, "This is not there any more."),
        (500, {}, "The portal answered 500."),
    ],
)
def test_refused_part_is_told(
    page: Page, show: Show, quiet: list[str], status: int, headers: dict[str, str], message: str
) -> None:
    page.route(
        "**/dialog", lambda route: route.fulfill(status=status, headers=headers, content_type="text/html")
    )
    show(DIALOG)

    page.get_by_role("button", name="Delete").click()

    expect(page.locator(".toast")).to_have_count(1)
    expect(page.locator(".toast")).to_contain_text(message)
    quiet[:] = [line for line in quiet if f"{status}" not in line]


def test_lost_stream_is_dialled_again_after_the_last_row(page: Page, show: Show, quiet: list[str]) -> None:
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url.partition("/live")[2])
        if len(asked) == 2:
            route.fulfill(status=502)
        else:
            route.fulfill(body=f"retry: 1\n\n{row(len(asked) + 1)}", content_type="text/event-stream")

    page.route(LIVE, answer)
    show(LOG)

    expect(page.locator("#ev-4")).to_be_visible()
    assert asked[:3] == ["", "", "?after=2"]
    quiet[:] = [line for line in quiet if "502" not in line]


def test_lost_stream_says_so(page: Page, show: Show) -> None:
    stream(page)

    show(LOG)

    expect(page.locator("[data-live]")).to_have_text("Reconnecting")
