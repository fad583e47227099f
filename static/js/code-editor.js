// <code-editor> around a <textarea>: line numbers, marks on the lines that the problems below it name, and Tab that
// indents. Escape before Tab leaves the editor with the keyboard. Without this script it is a plain text area.
class CodeEditor extends HTMLElement {
  connectedCallback() {
    this.area = this.querySelector("textarea");
    if (!this.area || this.gutter) return;
    this.gutter = document.createElement("div");
    this.gutter.className = "gutter";
    this.gutter.setAttribute("aria-hidden", "true");
    this.prepend(this.gutter);
    this.area.addEventListener("input", () => this.number());
    this.area.addEventListener("scroll", () => (this.gutter.scrollTop = this.area.scrollTop));
    this.area.addEventListener("keydown", (event) => this.indent(event));
    this.number();
    const wrong = this.mark();
    if (wrong.size) this.goTo(Math.min(...wrong));
  }

  number() {
    const count = this.area.value.split("\n").length;
    while (this.gutter.childElementCount > count) this.gutter.lastElementChild.remove();
    while (this.gutter.childElementCount < count) {
      const line = document.createElement("span");
      line.textContent = String(this.gutter.childElementCount + 1);
      this.gutter.append(line);
    }
  }

  mark() {
    const links = document.querySelectorAll(`[data-editor="${this.area.id}"]`);
    const wrong = new Set([...links].map((link) => Number(link.dataset.goToLine)));
    [...this.gutter.children].forEach((line, index) => line.classList.toggle("wrong", wrong.has(index + 1)));
    this.closest(".field")?.classList.toggle("invalid", wrong.size > 0);
    this.area.setAttribute("aria-invalid", String(wrong.size > 0));
    return wrong;
  }

  indent(event) {
    if (event.key === "Escape") this.leaves = true;
    else if (event.key !== "Tab" || event.shiftKey || event.ctrlKey || event.altKey) this.leaves = false;
    else if (!this.leaves) {
      event.preventDefault();
      const { selectionStart, selectionEnd } = this.area;
      this.area.setRangeText("  ", selectionStart, selectionEnd, "end");
      this.area.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  goTo(line) {
    const lines = this.area.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((length, text) => length + text.length + 1, 0);
    const height = parseFloat(getComputedStyle(this.area).lineHeight);
    this.area.scrollTop = Math.max(0, (line - 4) * height);
    this.area.setSelectionRange(start, start + (lines[line - 1] || "").length);
  }
}

customElements.define("code-editor", CodeEditor);

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-go-to-line]");
  if (!link) return;
  const area = document.getElementById(link.dataset.editor);
  area.focus();
  area.closest("code-editor")?.goTo(Number(link.dataset.goToLine));
});

// What was typed has been checked: the lines that are wrong may be others now.
document.addEventListener("htmx:afterSettle", () => {
  for (const editor of document.querySelectorAll("code-editor")) editor.mark();
});
