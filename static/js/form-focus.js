// After a form comes back with errors, the first wrong field has the focus.
function focusFirstError(root) {
  const wrong = root.querySelector(".invalid :is(input, select, textarea):not(:disabled)");
  wrong?.focus();
}

focusFirstError(document);
// Only when it has settled: until then elements that were there before still have their old classes.
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  if (detail.xhr?.status === 422) focusFirstError(document.contains(detail.elt) ? detail.elt : document);
});
