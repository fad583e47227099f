// Short messages: seen in a corner, or only heard.
const SHOWN_MILLISECONDS = 7000;

export function announce(text) {
  document.getElementById("announce").textContent = text;
}

export function toast(text, tone = "") {
  const corner = document.getElementById("toasts");
  const message = document.createElement("p");
  message.className = "toast";
  message.dataset.tone = tone;
  message.textContent = text;
  corner.append(message);
  raise(corner);
  setTimeout(() => drop(message), SHOWN_MILLISECONDS);
}

// As a popover the corner lies above an open dialog; shown again, it lies above one opened later.
function raise(corner) {
  if (corner.matches(":popover-open")) corner.hidePopover();
  corner.showPopover();
}

function drop(message) {
  const corner = message.parentElement;
  message.remove();
  if (corner && !corner.children.length && corner.matches(":popover-open")) corner.hidePopover();
}

const corner = document.getElementById("toasts");
if (corner?.children.length) {
  raise(corner);
  for (const message of corner.children) setTimeout(() => drop(message), SHOWN_MILLISECONDS);
}
