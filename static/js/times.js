// Times that tick in the browser, so that a running step costs no traffic. They count on the server's clock.
const SECOND = 1000;
const served = Date.parse(document.querySelector("meta[name=server-time]")?.content);
const drift = Number.isNaN(served) ? 0 : served - performance.timeOrigin;
// Loading the page takes its time too: only a clock that is plainly wrong is corrected.
const correction = Math.abs(drift) > 30 * SECOND ? drift : 0;
const now = () => Date.now() + correction;

function duration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / SECOND));
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  const two = (number) => String(number).padStart(2, "0");
  if (hours) return `${hours}h ${two(minutes)}m`;
  return minutes ? `${minutes}m ${two(rest)}s` : `${rest}s`;
}

class TickingTime extends HTMLElement {
  static observedAttributes = ["since", "until", "datetime"];
  every = SECOND;

  connectedCallback() {
    this.show();
    this.timer = setInterval(() => this.show(), this.every);
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }

  attributeChangedCallback() {
    if (this.isConnected) this.show();
  }

  moment(attribute) {
    return Date.parse(this.getAttribute(attribute));
  }

  show() {
    const text = this.text();
    if (text !== this.textContent) this.textContent = text;
  }
}

customElements.define(
  "elapsed-time",
  class extends TickingTime {
    text() {
      return duration(now() - this.moment("since"));
    }
  },
);

customElements.define(
  "count-down",
  class extends TickingTime {
    text() {
      const left = this.moment("until") - now();
      return left > 0 ? duration(left) : "a moment";
    }
  },
);

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" });
const UNITS = [
  ["minute", 60, 3600],
  ["hour", 3600, 86_400],
  ["day", 86_400, 2_592_000],
  ["month", 2_592_000, 31_536_000],
  ["year", 31_536_000, Infinity],
];

customElements.define(
  "time-ago",
  class extends TickingTime {
    every = 20 * SECOND;

    text() {
      const seconds = (this.moment("datetime") - now()) / SECOND;
      if (Math.abs(seconds) < 45) return "just now";
      const [unit, size] = UNITS.find(([, , limit]) => Math.abs(seconds) < limit);
      return relative.format(Math.round(seconds / size), unit);
    }
  },
);
