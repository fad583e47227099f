// Dialogs: opened by <button data-dialog="id">, or when HTMX brings a <dialog data-auto-open>; closed by [data-close].
// Inside one, [data-needs-match] stays disabled until [data-must-equal] holds exactly that text.
let opener = null;

export function openDialog(dialog) {
  if (dialog.open) return;
  if (!document.activeElement?.closest("dialog")) opener = document.activeElement;
  dialog.showModal();
  dialog.querySelector("[data-focus]")?.focus();
  requireMatch(dialog);
  dialog.addEventListener("close", () => forget(dialog), { once: true });
}

function forget(dialog) {
  if (dialog.hasAttribute("data-auto-open")) dialog.remove();
  if (opener?.isConnected) opener.focus();
}

function requireMatch(dialog) {
  const typed = dialog.querySelector("[data-must-equal]");
  const button = dialog.querySelector("[data-needs-match]");
  if (!typed || !button) return;
  const compare = () => (button.disabled = typed.value.trim() !== typed.dataset.mustEqual);
  typed.addEventListener("input", compare);
  compare();
}

document.addEventListener("click", (event) => {
  const wanted = event.target.closest("[data-dialog]");
  if (wanted && wanted.getAttribute("aria-disabled") !== "true") {
    openDialog(document.getElementById(wanted.dataset.dialog));
  }
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  if (event.target.matches("dialog")) event.target.close(); // the backdrop
});

document.addEventListener("htmx:afterSettle", () => {
  const brought = document.querySelector("dialog[data-auto-open]:not([open])");
  if (brought) openDialog(brought);
});
