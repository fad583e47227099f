// [data-values-editor]: a textarea for YAML with line numbers beside it; Tab types two spaces, Escape lets Tab leave.
// [data-go-to-line] puts the cursor there.
function drawLines(editor) {
  const text = editor.querySelector("textarea");
  const count = text.value.split("\n").length;
  editor.querySelector("pre").textContent = Array.from({ length: count }, (_, line) => line + 1).join("\n");
  follow(editor);
}

function follow(editor) {
  editor.querySelector("pre").scrollTop = editor.querySelector("textarea").scrollTop;
}

function prepare(root) {
  for (const editor of root.querySelectorAll("[data-values-editor]:not([data-ready])")) {
    editor.dataset.ready = "";
    editor.querySelector("textarea").addEventListener("scroll", () => follow(editor));
    drawLines(editor);
  }
}

function goToLine(button) {
  const text = document.getElementById(button.dataset.editor);
  const lines = text.value.split("\n");
  const line = Math.min(Number(button.dataset.goToLine), lines.length);
  const start = lines.slice(0, line - 1).reduce((sum, before) => sum + before.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + lines[line - 1].length);
  text.scrollTop = Math.max(0, (line - 4) * 20);
}

function onKey(event) {
  const editor = event.target.closest?.("[data-values-editor]");
  if (!editor) return;
  if (event.key === "Escape") editor.dataset.tabLeaves = "";
  else if (event.key === "Tab" && !event.shiftKey && !("tabLeaves" in editor.dataset)) {
    event.preventDefault();
    event.target.setRangeText("  ", event.target.selectionStart, event.target.selectionEnd, "end");
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

prepare(document);
document.addEventListener("htmx:load", (event) => prepare(event.detail.elt.parentElement ?? document));
document.addEventListener("input", (event) => {
  const editor = event.target.closest?.("[data-values-editor]");
  if (editor) drawLines(editor);
});
document.addEventListener("keydown", onKey);
document.addEventListener("focusout", (event) => {
  const editor = event.target.closest?.("[data-values-editor]");
  if (editor) delete editor.dataset.tabLeaves;
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-go-to-line]");
  if (button) goToLine(button);
});
