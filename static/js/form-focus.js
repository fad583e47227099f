// After a form comes back with errors, the first wrong field has the focus.
function focusFirstError(root) {
  const wrong = root.querySelector(".invalid :is(input, select, textarea):not(:disabled)");
  wrong?.focus();
}

focusFirstError(document);
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.xhr?.status === 422) focusFirstError(document.contains(detail.elt) ? detail.elt : document);
});
