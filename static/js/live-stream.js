// What htmx opens for `sse-connect`. It lets go of the connection while the tab is hidden, because HTTP/1.1 browsers
// open six per host. It reconnects by itself and goes on after the last message it saw: htmx would make a NEW
// EventSource after a hard failure, and that one starts without Last-Event-ID.
const SOONEST_MILLISECONDS = 1000;
const LATEST_MILLISECONDS = 30_000;

// A part that is replaced between press and release swallows the click: messages wait for the release.
let isPressed = false;
const held = [];

function release() {
  isPressed = false;
  for (const tell of held.splice(0)) tell();
}

addEventListener("pointerdown", () => (isPressed = true), { capture: true });
// The click comes right after the release, before anything that is put off.
for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, () => setTimeout(release), { capture: true });

class LiveStream extends EventTarget {
  kinds = new Set();
  cursor = "";
  source = null;
  closed = false;
  failures = 0;

  constructor(url) {
    super();
    this.url = url;
    document.addEventListener("visibilitychange", this.follow);
    addEventListener("pagehide", this.hangUp);
    addEventListener("pageshow", this.follow);
    this.follow();
  }

  follow = () => (document.hidden ? this.hangUp() : this.dial());

  dial() {
    if (this.source || this.closed) return;
    const address = new URL(this.url, location.href);
    if (this.cursor) address.searchParams.set("after", this.cursor);
    this.source = new EventSource(address);
    this.source.onopen = (event) => this.opened(event);
    this.source.onerror = () => this.lost();
    for (const kind of this.kinds) this.source.addEventListener(kind, this.relay);
  }

  hangUp = () => {
    clearTimeout(this.retry);
    this.source?.close();
    this.source = null;
  };

  opened(event) {
    this.failures = 0;
    this.onopen?.(event);
  }

  // The browser dials again by itself unless the answer was no stream at all.
  lost() {
    document.dispatchEvent(new CustomEvent("stream-lost"));
    if (this.source?.readyState !== EventSource.CLOSED) return;
    this.hangUp();
    const delay = Math.min(LATEST_MILLISECONDS, SOONEST_MILLISECONDS * 2 ** this.failures++);
    this.retry = setTimeout(this.follow, delay);
  }

  relay = (event) => {
    if (event.lastEventId) this.cursor = event.lastEventId;
    const { type, data, lastEventId } = event;
    const tell = () => this.dispatchEvent(new MessageEvent(type, { data, lastEventId }));
    if (isPressed) held.push(tell);
    else tell();
  };

  addEventListener(kind, listener, options) {
    if (!this.kinds.has(kind)) {
      this.kinds.add(kind);
      this.source?.addEventListener(kind, this.relay);
    }
    super.addEventListener(kind, listener, options);
  }

  get readyState() {
    if (this.closed) return EventSource.CLOSED;
    return this.source ? this.source.readyState : EventSource.CONNECTING;
  }

  close() {
    this.closed = true;
    this.hangUp();
    document.removeEventListener("visibilitychange", this.follow);
    removeEventListener("pagehide", this.hangUp);
    removeEventListener("pageshow", this.follow);
  }
}

window.htmx.createEventSource = (url) => new LiveStream(url);
