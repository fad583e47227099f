// The live list of events: rows arrive on top, each once, without moving what the reader looks at. The button
// [data-live] pauses it: rows are held back and counted until the reader goes on.
import { announce } from "./messages.js";

const held = [];
const liveButton = () => document.querySelector("[data-live]");
const isPaused = () => liveButton()?.getAttribute("aria-pressed") === "false";
const isLogOf = (event) => event.detail.type === "log";

document.addEventListener("htmx:sseBeforeMessage", (event) => {
  if (!isLogOf(event)) return;
  if (isKnown(event.detail.data)) {
    event.preventDefault();
  } else if (isPaused()) {
    event.preventDefault();
    held.push({ rows: event.target, html: event.detail.data });
    label(`Paused, ${held.length} new`);
  } else {
    keepPlace(event.target);
    event.target.querySelector(".none")?.remove();
  }
});

// A stream that reconnected may send again what is on the page.
function isKnown(html) {
  const id = /\bid="([^"]+)"/.exec(html)?.[1];
  return Boolean(id && (document.getElementById(id) || held.some((row) => row.html.includes(`id="${id}"`))));
}

function keepPlace(rows) {
  const seen = [...rows.children].find((row) => row.getBoundingClientRect().bottom > 0);
  const top = seen?.getBoundingClientRect().top;
  if (!seen || rows.getBoundingClientRect().top >= 0) return;
  const restore = () => scrollBy({ top: seen.getBoundingClientRect().top - top, behavior: "instant" });
  rows.addEventListener("htmx:afterSettle", restore, { once: true });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-live]");
  if (!button) return;
  const pause = !isPaused();
  button.setAttribute("aria-pressed", String(!pause));
  label(pause ? "Paused" : "Live");
  if (pause) return;
  const count = held.length;
  for (const { rows, html } of held.splice(0)) rows.insertAdjacentHTML("afterbegin", html);
  if (count) announce(`${count} new events`);
});

function label(text) {
  const place = liveButton()?.querySelector("[data-live-label]");
  if (place) place.textContent = text;
}

function connection(state, text) {
  const button = liveButton();
  if (!button) return;
  button.dataset.state = state;
  if (!isPaused()) label(text);
}

document.addEventListener("htmx:sseOpen", () => connection("open", "Live"));
document.addEventListener("stream-lost", () => connection("lost", "Reconnecting"));
document.addEventListener("htmx:sseClose", () => connection("ended", "Ended"));
