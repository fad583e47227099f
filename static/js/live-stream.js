// What htmx opens for `sse-connect`. It lets go of the connection while the tab is hidden, because HTTP/1.1 browsers
// open six per host; and it carries its own cursor, because htmx makes a NEW EventSource after a hard failure and that
// one starts without Last-Event-ID.
const cursors = new Map();

class LiveStream extends EventTarget {
  constructor(url) {
    super();
    this.url = url;
    this.kinds = new Set();
    this.source = null;
    this.closed = false;
    document.addEventListener("visibilitychange", this.followVisibility);
    this.followVisibility();
  }

  followVisibility = () => (document.hidden ? this.hangUp() : this.dial());

  dial() {
    if (this.source || this.closed) return;
    const address = new URL(this.url, location.href);
    if (cursors.has(this.url)) address.searchParams.set("after", cursors.get(this.url));
    this.source = new EventSource(address);
    this.source.onopen = (event) => this.onopen?.(event);
    this.source.onerror = (event) => this.onerror?.(event);
    for (const kind of this.kinds) this.source.addEventListener(kind, this.relay);
  }

  hangUp() {
    this.source?.close();
    this.source = null;
  }

  relay = (event) => {
    if (event.lastEventId) cursors.set(this.url, event.lastEventId);
    this.dispatchEvent(new MessageEvent(event.type, { data: event.data, lastEventId: event.lastEventId }));
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
    document.removeEventListener("visibilitychange", this.followVisibility);
  }
}

window.htmx.createEventSource = (url) => new LiveStream(url);
