// @ts-check
// Several rows of the board are selected: how many, and what can be done with them.

/** Count what is selected, now and when parts of the page are new. */
export function startSelection() {
  document.addEventListener("change", count);
  document.addEventListener("spillway:renewed", count);
  count();
}

/** The boxes that are ticked. */
export function selected() {
  return /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll("input[data-select]:checked")]);
}

/** Untick all. */
export function unselect() {
  for (const each of selected()) each.checked = false;
  count();
}

function count() {
  const number = selected().length;
  for (const each of document.querySelectorAll("[data-selected-count]")) {
    const words = number === 0 ? "none selected" : `${number} selected`;
    if (each.textContent !== words) each.textContent = words;
  }
  for (const bar of document.querySelectorAll("[data-selection]")) {
    bar.toggleAttribute("data-some", number > 0);
    bar.toggleAttribute("data-none", number === 0);
  }
}
