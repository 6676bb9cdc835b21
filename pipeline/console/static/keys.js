// @ts-check
// The keyboard. What a key does stands in the table of the help, which the server makes of pages/keys.py.

import { openDialog } from "./offers.js";
import { memory } from "./page.js";
import { selected } from "./selection.js";

const SEQUENCE_MS = 1_000;

let before = "";
let beforeAt = 0;

/** Listen to the keyboard, unless somebody has switched that off. */
export function startKeys() {
  const box = document.querySelector("[data-keys-on]");
  if (box instanceof HTMLInputElement) {
    box.checked = isOn();
    box.addEventListener("change", () => memory.set("keys", box.checked ? "on" : "off"));
  }
  document.addEventListener("keydown", pressed);
}

function isOn() {
  return memory.get("keys") !== "off";
}

/** What each key does. */
function table() {
  const rows = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#keys [data-does]"));
  return new Map([...rows].map((row) => [row.dataset.key ?? "", row.dataset.does ?? ""]));
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  const target = event.target instanceof HTMLElement ? event.target : document.body;
  // A dialog that has just closed keeps the focus until the page is drawn again: nobody types in it any more.
  const field = target.closest("dialog:not([open])") ? document.body : target;
  const typing = field.isContentEditable || field.matches("textarea, select, input:not([type=checkbox], [type=radio])");
  if (event.key === "Escape") {
    if (typing && !target.closest("dialog")) target.blur();
    return;
  }
  if (typing || !isOn() || document.querySelector("dialog[open]")) return;
  const known = table();
  const sequence = event.timeStamp - beforeAt < SEQUENCE_MS ? `${before} ${event.key}` : event.key;
  const does = known.get(sequence) ?? known.get(event.key);
  before = event.key;
  beforeAt = event.timeStamp;
  if (does && act(does)) {
    before = "";
    event.preventDefault();
  }
}

/**
 * @param {string} does
 * @returns {boolean} whether it did something
 */
function act(does) {
  const [what, which] = does.split(/:(.*)/);
  if (what === "go") location.href = which;
  else if (what === "help") openDialog("keys");
  else if (what === "search") search();
  else if (what === "next" || what === "previous") return move(what === "next" ? 1 : -1);
  else if (what === "select") return select();
  else if (what === "do") return press(which);
  else return false;
  return true;
}

function search() {
  const field = document.querySelector("[data-search]");
  if (field instanceof HTMLInputElement) {
    field.focus();
    field.select();
  } else location.href = "/search";
}

/** The links of the rows, by which the keyboard goes. */
function rows() {
  return /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-row-link]")]);
}

/** @param {number} by */
function move(by) {
  const all = rows();
  if (all.length === 0) return false;
  const at = all.findIndex((each) => each.closest("[data-row]")?.contains(document.activeElement));
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
  all[next].focus();
  all[next].scrollIntoView({ block: "nearest" });
  return true;
}

/** The box of the row that has the focus. */
function boxHere() {
  const box = document.activeElement?.closest("[data-row]")?.querySelector("input[data-select]");
  return box instanceof HTMLInputElement ? box : null;
}

function select() {
  const box = boxHere();
  box?.click();
  return box !== null;
}

/**
 * Press what is offered under a name. On the board it is for what is selected, or for the row that has the focus.
 * @param {string} name
 */
function press(name) {
  const offered = [...document.querySelectorAll(`[data-do="${name}"]`)];
  const button = /** @type {HTMLElement | undefined} */ (offered.find((each) => each instanceof HTMLElement && each.offsetParent !== null));
  if (!button) return false;
  const box = boxHere();
  if (button.closest("[data-selection]") && selected().length === 0) {
    if (!box) return false;
    box.click();
  }
  button.click();
  return true;
}
