// @ts-check
// Conveniences: the theme, copying an id, dialogs over links to forms, a search that follows the typing.

import { morphInside } from "./morph.js";
import { memory, reveal, say } from "./page.js";

const TYPED_MS = 250;

/** Take care of clicks on whatever offers something. */
export function startOffers() {
  reveal(document);
  showTheme();
  document.addEventListener("click", clicked);
  document.addEventListener("change", chosen);
  document.addEventListener("input", typed);
}

/** @param {MouseEvent} event */
function clicked(event) {
  const target = event.target instanceof Element ? event.target : null;
  const offer = /** @type {HTMLElement | null} */ (target?.closest("[data-theme-switch], [data-copy], [data-open], [data-close], a[data-form]"));
  if (!offer || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if ("themeSwitch" in offer.dataset) switchTheme();
  else if (offer.dataset.copy) void copy(offer.dataset.copy);
  else if (offer.dataset.open) openDialog(offer.dataset.open);
  else if ("close" in offer.dataset) {
    const dialog = offer.closest("dialog");
    if (dialog) event.preventDefault();
    dialog?.close();
    return;
  }
  else if (offer instanceof HTMLAnchorElement) {
    event.preventDefault();
    void openForm(offer.href);
    return;
  }
  if (offer instanceof HTMLButtonElement && offer.type !== "submit") event.preventDefault();
}

/** The theme that is shown. */
function theme() {
  const own = document.documentElement.dataset.theme;
  return own ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

function switchTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  memory.set("theme", next);
  showTheme();
}

function showTheme() {
  const button = document.querySelector("[data-theme-switch]");
  if (button) button.textContent = theme() === "dark" ? "Light" : "Dark";
}

/** @param {string} words */
async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
    say(`Copied ${words}`);
  } catch {
    say(`The browser does not let us copy: ${words}`);
  }
}

/** @param {string} id */
export function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

/**
 * Open the form that a link leads to in a dialog. Whatever goes wrong: the link is followed.
 * @param {string} href
 */
export async function openForm(href) {
  const dialog = document.getElementById("act");
  if (!(dialog instanceof HTMLDialogElement)) return void (location.href = href);
  try {
    const answer = await fetch(href, { headers: { "X-Fragment": "form" } });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    dialog.innerHTML = await answer.text();
  } catch {
    location.href = href;
    return;
  }
  reveal(dialog);
  if (!dialog.open) dialog.showModal();
  /** @type {HTMLElement | null} */ (dialog.querySelector("input:not([type=hidden]), textarea, select, button"))?.focus();
}

/** @param {Event} event */
function chosen(event) {
  const field = event.target instanceof Element ? event.target : null;
  const form = field?.closest("form[data-follow]");
  if (form instanceof HTMLFormElement && field instanceof HTMLSelectElement) form.requestSubmit();
}

let typedTimer = 0;

/** @param {Event} event */
function typed(event) {
  const field = event.target instanceof HTMLInputElement ? event.target : null;
  const form = field?.closest("form[data-typing]");
  if (!(form instanceof HTMLFormElement)) return;
  clearTimeout(typedTimer);
  typedTimer = window.setTimeout(() => void follow(form), TYPED_MS);
}

let following = 0;

/**
 * Ask what a form of a search would find, and show it.
 * @param {HTMLFormElement} form
 */
async function follow(form) {
  const place = document.querySelector(form.dataset.typing ?? "");
  if (!place) return;
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string" && value) query.append(name, value);
  const href = `${form.action}?${query}`;
  const turn = ++following;
  const answer = await fetch(href, { headers: { "X-Fragment": place.getAttribute("data-block") ?? "" } });
  if (!answer.ok || turn !== following) return;
  morphInside(place, await answer.text());
  reveal(place);
  history.replaceState(null, "", href);
}
