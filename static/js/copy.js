// <button data-copy="text"> puts the text on the clipboard; data-copy-from="id" takes that element's text.
import { announce, toast } from "./messages.js";

const DONE_MILLISECONDS = 1500;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(textOf(button));
  } catch {
    toast("The browser refused to copy. Select the text instead.", "bad");
    return;
  }
  button.dataset.done = "";
  announce("Copied");
  setTimeout(() => delete button.dataset.done, DONE_MILLISECONDS);
});

function textOf(button) {
  const source = document.getElementById(button.dataset.copyFrom);
  return source ? (source.value ?? source.textContent.trim()) : button.dataset.copy;
}
