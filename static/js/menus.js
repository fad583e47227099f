// Menus are popovers: the browser opens, places and dismisses them. Added here: arrow keys, closing after a choice, and
// a place beside the button where the browser has no anchor positioning.
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest(".menu[popover]");
  if (!menu || !["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
  const items = [...menu.querySelectorAll(".menu-item, input")];
  const here = items.indexOf(document.activeElement);
  const next = event.key === "Home" ? 0 : event.key === "End" ? -1 : (here + STEPS[event.key]) % items.length;
  items.at(next)?.focus();
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const item = event.target.closest(".menu[popover] .menu-item:not(label)");
  if (item && item.getAttribute("aria-disabled") !== "true") item.closest(".menu").hidePopover();
});

if (!CSS.supports("position-area", "bottom")) {
  document.addEventListener("toggle", (event) => event.newState === "open" && placeBelow(event.target), true);
}

function placeBelow(menu) {
  const button = menu.matches(".menu") && document.querySelector(`[popovertarget="${menu.id}"]`);
  if (!button) return;
  const { bottom, left, right } = button.getBoundingClientRect();
  const wanted = menu.classList.contains("end") ? right - menu.offsetWidth : left;
  menu.style.top = `${bottom}px`;
  menu.style.left = `${Math.max(8, Math.min(wanted, innerWidth - menu.offsetWidth - 8))}px`;
}
