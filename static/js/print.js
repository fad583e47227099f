// <button data-print> prints the page, with the details open that paper cannot open.
let opened = [];

addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const details of opened) details.open = true;
});

addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) print();
});
