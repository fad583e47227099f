// The theme lives in a cookie and is written into <html> by the server: no flash at load.
const YEAR_SECONDS = 31_536_000;

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-theme-toggle]")) return;
  const root = document.documentElement;
  const current = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = current === "dark" ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme};path=/;max-age=${YEAR_SECONDS};samesite=lax`;
});
