// The theme that somebody chose, before anything is drawn: in the head, not deferred.
(() => {
  try {
    const chosen = localStorage.getItem("spillway-theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch {
    // A browser that keeps nothing shows the theme of its system.
  }
})();
