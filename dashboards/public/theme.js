// Runs before the first paint, so that a dark screen does not flash white. Kept in step with src/theme.ts.
(function () {
  var choice = null;
  var locale = null;
  try {
    choice = localStorage.getItem("yizhan.theme");
    locale = localStorage.getItem("yizhan.locale");
  } catch (_) {
    // Storage may be closed; the system's choice then holds.
  }
  var dark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.toggle("dark", dark);
  if (locale) document.documentElement.lang = locale;
})();
