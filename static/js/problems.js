// What went wrong with a part that was asked for: the server's reason if it gave one, else what can be said.
import { toast } from "./messages.js";

document.addEventListener("action-refused", (event) => toast(event.detail.reason, "bad"));

document.addEventListener("htmx:responseError", ({ detail: { xhr } }) => {
  if (xhr.getResponseHeader("HX-Trigger")) return;
  if (xhr.status === 404) toast("This is not there any more. Reload the page.", "bad");
  else toast(`The portal answered ${xhr.status}. Try again; if it stays, tell your administrator.`, "bad");
});

document.addEventListener("htmx:sendError", () => toast("The portal does not answer. Check your connection.", "bad"));
