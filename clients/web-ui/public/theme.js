// Before the first paint, so that a chosen theme does not flash. The policy allows no inline script.
try {
  const chosen = localStorage.getItem("operator.theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is blocked: the system's preference decides.
}
