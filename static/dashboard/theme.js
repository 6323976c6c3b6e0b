// Runs before the first paint, so it is a script of its own and not a module: the theme that was chosen here, if any.
try {
  const theme = localStorage.getItem("hermes:theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // storage is refused: the system's theme
}
