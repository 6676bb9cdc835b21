// @ts-check
// Small things that several parts need.

/**
 * Show what only works with the script.
 * @param {ParentNode} root
 */
export function reveal(root) {
  for (const each of root.querySelectorAll("[data-copy], [data-open], [data-theme-switch], [data-js]")) {
    each.removeAttribute("hidden");
  }
}

/**
 * Say something to everybody, readers of screens too.
 * @param {string} words
 */
export function say(words) {
  const place = document.querySelector("[data-said]");
  if (!place) return;
  place.textContent = words;
  clearTimeout(saidTimer);
  saidTimer = window.setTimeout(() => (place.textContent = ""), SAID_MS);
}

const SAID_MS = 6_000;
let saidTimer = 0;

/** Header of a request that changes something. */
export function csrfHeader() {
  return { "X-CSRF-Token": document.body.dataset.csrf ?? "" };
}

/** What the browser remembers of somebody's choices. */
export const memory = {
  /** @param {string} name */
  get(name) {
    try {
      return localStorage.getItem(`spillway-${name}`);
    } catch {
      return null;
    }
  },
  /**
   * @param {string} name
   * @param {string} value
   */
  set(name, value) {
    try {
      localStorage.setItem(`spillway-${name}`, value);
    } catch {
      // It is forgotten with the page.
    }
  },
};
