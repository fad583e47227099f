// A part that the stream replaces keeps what the reader did to it: which details and which menu are open, and where
// the focus is.
const kept = new Map();

document.addEventListener("htmx:oobBeforeSwap", ({ detail: { target, fragment } }) => {
  const focused = target.contains(document.activeElement) ? document.activeElement : null;
  kept.set(target.id, {
    focus: focused && freshFocus(focused, fragment, target),
    menu: target.querySelector(".menu:popover-open")?.id,
  });
  for (const details of target.querySelectorAll("details[data-touched]")) keepOpenness(details, fragment, target);
});

function keepOpenness(details, fragment, target) {
  const fresh = counterpart(details, fragment, target);
  if (!fresh) return;
  fresh.open = details.open;
  fresh.dataset.touched = "";
}

function freshFocus(focused, fragment, target) {
  if (focused.id) return fragment.querySelector(`#${CSS.escape(focused.id)}`);
  return focused.matches("summary") && counterpart(focused.parentElement, fragment, target)?.querySelector("summary");
}

// The one in the same place of what has an id around it: a step is found wherever its list went.
function counterpart(details, fragment, target) {
  if (details.id) return fragment.querySelector(`#${CSS.escape(details.id)}`);
  const owner = details.closest("[id]");
  const freshOwner = owner === target ? fragment : fragment.querySelector(`#${CSS.escape(owner.id)}`);
  return freshOwner?.querySelectorAll("details")[[...owner.querySelectorAll("details")].indexOf(details)];
}

document.addEventListener("htmx:oobAfterSwap", ({ detail: { target } }) => {
  const { focus, menu } = kept.get(target.id) ?? {};
  kept.delete(target.id);
  // By its button, which is what the browser places it beside.
  if (menu) document.querySelector(`[popovertarget="${menu}"]`)?.click();
  if (focus) focus.focus({ preventScroll: true });
});

document.addEventListener("click", (event) => {
  const details = event.target.closest("summary")?.parentElement;
  if (details) details.dataset.touched = "";
});
