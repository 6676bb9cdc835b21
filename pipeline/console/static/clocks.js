// @ts-check
// Times that pass: `data-due` counts down, `data-at` says how long ago. By the server's clock, not the machine's.

const SECOND_MS = 1_000;
const SOON_MS = 600_000;
const DAY_SECONDS = 86_400;

/** How far the server's clock is ahead of this machine's, in milliseconds. */
let aheadMs = 0;

/** Start ticking, from what the page says the time was when it was made. */
export function startClocks() {
  setServerNow(Number(document.body.dataset.now));
  tick();
  setInterval(tick, SECOND_MS);
}

/**
 * Take the server's time from an answer of it.
 * @param {number} nowMs epoch milliseconds
 */
export function setServerNow(nowMs) {
  if (nowMs > 0) aheadMs = nowMs - Date.now();
}

/** Epoch milliseconds by the server's clock. */
export function nowMs() {
  return Date.now() + aheadMs;
}

/** Write all times anew; only those that changed are touched. */
export function tick() {
  const now = nowMs();
  for (const each of document.querySelectorAll("[data-due]")) {
    const due = Number(/** @type {HTMLElement} */ (each).dataset.due);
    write(each, countdown(due, now));
    each.classList.toggle("due--over", due < now);
    each.classList.toggle("due--soon", due >= now && due - now < SOON_MS);
  }
  for (const each of document.querySelectorAll("[data-at]")) {
    write(each, ago(Number(/** @type {HTMLElement} */ (each).dataset.at), now));
  }
}

/**
 * What a clock has left, as `countdown` of words.py says it.
 * @param {number} due epoch milliseconds
 * @param {number} now epoch milliseconds
 */
export function countdown(due, now) {
  const left = Math.floor((due - now) / SECOND_MS);
  const seconds = Math.abs(left);
  const two = (/** @type {number} */ value) => String(Math.floor(value)).padStart(2, "0");
  let words = `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  if (seconds >= DAY_SECONDS) words = `${Math.floor(seconds / DAY_SECONDS)} d ${Math.floor((seconds % DAY_SECONDS) / 3_600)} h`;
  else if (seconds >= 3_600) words = `${Math.floor(seconds / 3_600)}:${two((seconds % 3_600) / 60)}:${two(seconds % 60)}`;
  return left >= 0 ? words : `${words} over`;
}

/**
 * How long ago, as `ago` of words.py says it.
 * @param {number} at epoch milliseconds
 * @param {number} now epoch milliseconds
 */
export function ago(at, now) {
  const seconds = (now - at) / SECOND_MS;
  if (Math.abs(seconds) < 3) return "now";
  return seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
}

/** @param {number} seconds */
function span(seconds) {
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  if (seconds < 7_200) return `${(seconds / 60).toFixed(0)} min`;
  return seconds < 172_800 ? `${(seconds / 3_600).toFixed(1)} h` : `${(seconds / DAY_SECONDS).toFixed(0)} days`;
}

/**
 * @param {Element} element
 * @param {string} words
 */
function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}
