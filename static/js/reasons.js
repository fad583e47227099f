// A button that is not available stays reachable, so that its reason can be read, but does nothing.
document.addEventListener(
  "click",
  (event) => {
    if (!event.target.closest?.("[aria-disabled=true]")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  true,
);

// Escape puts a shown reason away until the pointer or the focus comes back.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const shown of document.querySelectorAll(".why:is(:hover, :focus-within)")) {
    shown.dataset.dismissed = "";
    for (const end of ["mouseleave", "focusout"]) {
      shown.addEventListener(end, () => delete shown.dataset.dismissed, { once: true });
    }
  }
});
