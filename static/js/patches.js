// A part that the stream replaces keeps what the reader did to it: which details and which menu are open, and where
// the focus is.
const kept = new Map();

document.addEventListener("htmx:oobBeforeSwap", ({ detail: { target, fragment } }) => {
  const focused = target.contains(document.activeElement) ? document.activeElement : null;
  kept.set(target.id, {
    focus: focused && { id: focused.id, isSummary: focused.matches("summary") },
    menu: target.querySelector(".menu:popover-open")?.id,
  });
  for (const details of target.querySelectorAll("details[data-touched]")) keepOpenness(details, fragment, target);
});

function keepOpenness(details, fragment, target) {
  const position = [...target.querySelectorAll("details")].indexOf(details);
  const fresh = details.id
    ? fragment.querySelector(`#${CSS.escape(details.id)}`)
    : fragment.querySelectorAll("details")[position];
  if (!fresh) return;
  fresh.open = details.open;
  fresh.dataset.touched = "";
}

document.addEventListener("htmx:oobAfterSwap", ({ detail: { target } }) => {
  const { focus, menu } = kept.get(target.id) ?? {};
  kept.delete(target.id);
  // By its button, which is what the browser places it beside.
  if (menu) document.querySelector(`[popovertarget="${menu}"]`)?.click();
  if (!focus) return;
  const part = document.getElementById(target.id);
  const again = focus.id ? document.getElementById(focus.id) : focus.isSummary && part?.querySelector("summary");
  if (again) again.focus({ preventScroll: true });
});

document.addEventListener("click", (event) => {
  const details = event.target.closest("summary")?.parentElement;
  if (details) details.dataset.touched = "";
});
