// After a form comes back with errors, the first wrong field has the focus; what is wrong with the whole is in view.
function focusFirstError(root) {
  const wrong = root.querySelector(".invalid :is(input, select, textarea):not(:disabled)");
  wrong?.focus();
  return wrong;
}

focusFirstError(document);
// Only when it has settled: until then elements that were there before still have their old classes.
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  if (detail.xhr?.status !== 422) return;
  const root = document.contains(detail.elt) ? detail.elt : document;
  if (!focusFirstError(root)) root.querySelector("[role=alert]:not(:empty)")?.scrollIntoView({ block: "center" });
});
