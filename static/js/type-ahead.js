// <select data-typeahead> with many options becomes a combobox: an input that filters. The select stays the form's
// field: it keeps name, value and `change` events.
const WORTH_FILTERING = 10;

class TypeAhead {
  constructor(select) {
    const hadFocus = document.activeElement === select;
    this.select = select;
    this.input = this.makeInput();
    this.list = this.makeList();
    select.before(this.input, this.list);
    select.hidden = true;
    select.dataset.enhanced = "";
    this.showChosen();
    this.listen();
    if (hadFocus) this.input.focus();
  }

  makeInput() {
    const input = document.createElement("input");
    const { id, disabled } = this.select;
    Object.assign(input, { type: "text", id, disabled, autocomplete: "off", spellcheck: false, className: "combo" });
    const attributes = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": `${id}_list` };
    for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
    for (const name of ["aria-describedby", "aria-invalid", "aria-required"]) {
      if (this.select.hasAttribute(name)) input.setAttribute(name, this.select.getAttribute(name));
    }
    this.select.id = `${id}_select`;
    return input;
  }

  makeList() {
    const list = document.createElement("ul");
    list.id = `${this.input.id}_list`;
    list.className = "combo-list";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", this.input.labels?.[0]?.textContent ?? "Choices");
    return list;
  }

  listen() {
    this.input.addEventListener("input", () => this.open(this.input.value));
    this.input.addEventListener("click", () => this.open());
    this.input.addEventListener("blur", () => this.close());
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const row = event.target.closest("[role=option]");
      if (row) this.choose(row);
    });
  }

  onKey(event) {
    const rows = [...this.list.querySelectorAll("[role=option]")];
    const here = rows.indexOf(this.active);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.list.hidden) return this.open();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.activate(rows.at((here + step + rows.length) % rows.length));
    } else if (event.key === "Enter" && !this.list.hidden) {
      event.preventDefault();
      if (this.active) this.choose(this.active);
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.stopPropagation();
      this.close();
    }
  }

  open(wanted = "") {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (option) => words.every((word) => option.textContent.toLowerCase().includes(word));
    const rows = [...this.select.options].filter((option) => option.value && fits(option)).map((option) => this.row(option));
    this.list.replaceChildren(...(rows.length ? rows : [this.nothing(wanted)]));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.activate(rows.find((row) => row.getAttribute("aria-selected") === "true") ?? (wanted ? rows[0] : null));
  }

  row(option) {
    const row = document.createElement("li");
    row.id = `${this.list.id}_${option.index}`;
    row.dataset.value = option.value;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(option.selected));
    row.append(...[...option.childNodes].map((node) => node.cloneNode(true)));
    return row;
  }

  nothing(wanted) {
    const row = document.createElement("li");
    row.className = "combo-none";
    row.textContent = `Nothing matches “${wanted}”`;
    return row;
  }

  activate(row) {
    this.active?.removeAttribute("data-active");
    this.active = row ?? null;
    if (!row) return this.input.removeAttribute("aria-activedescendant");
    row.dataset.active = "";
    row.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", row.id);
  }

  choose(row) {
    this.select.value = row.dataset.value;
    this.close();
    this.select.dispatchEvent(new Event("change", { bubbles: true }));
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.activate(null);
    this.showChosen();
  }

  showChosen() {
    const chosen = this.select.selectedOptions[0];
    const isChosen = Boolean(chosen?.value);
    this.input.value = isChosen ? (chosen.querySelector("span") ?? chosen).textContent.trim() : "";
    this.input.placeholder = isChosen ? "" : (chosen?.textContent.trim() ?? "Select…");
  }
}

function enhance(root) {
  for (const select of root.querySelectorAll("select[data-typeahead]:not([data-enhanced])")) {
    if (select.options.length > WORTH_FILTERING) new TypeAhead(select);
  }
}

enhance(document);
document.addEventListener("htmx:load", (event) => enhance(event.detail.elt.parentElement ?? document));
