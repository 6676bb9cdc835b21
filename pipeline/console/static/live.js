// @ts-check
// Parts of the page that follow what happens. The server says what changed (server-sent events), the script asks for
// the part anew, at most once a second, and puts it in place. What it knows of its own state stands in the bar.

import { setServerNow, tick } from "./clocks.js";
import { morphInside } from "./morph.js";
import { reveal, say } from "./page.js";

const REFRESH_MS = 1_000;
const HIDDEN_MS = 30_000;
const RETRY_MS = [1_000, 2_000, 5_000, 10_000, 15_000];
const STALE_MS = 30_000;

/** @typedef {{id?: string, revision?: number, kind?: string, change?: string, state?: string}} Changed */

/** @type {Set<HTMLElement>} */
const due = new Set();
/** @type {EventSource | null} */
let source = null;
let refreshing = false;
let refreshTimer = 0;
let lastRefreshMs = 0;
let retryTimer = 0;
let retries = 0;
let hiddenTimer = 0;
let downSinceMs = 0;
let freshMs = Date.now();

/** Listen, where there is something to keep fresh. */
export function startLive() {
  if (!document.body.dataset.stream) return;
  document.addEventListener("visibilitychange", seen);
  document.addEventListener("spillway:refresh", all);
  window.addEventListener("pageshow", (event) => event.persisted && seen());
  setInterval(showPulse, REFRESH_MS);
  if (parts().length === 0) return;
  for (const each of parts()) if ("lazy" in each.dataset) due.add(each);
  schedule();
  connect();
}

/** The live parts of the page. */
function parts() {
  return /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-live]")]);
}

function connect() {
  source?.close();
  const opened = new EventSource(document.body.dataset.stream ?? "");
  source = opened;
  opened.addEventListener("open", () => {
    const missed = downSinceMs > 0;
    downSinceMs = 0;
    retries = 0;
    showPulse();
    if (missed) all();
  });
  opened.addEventListener("changed", (event) => changed(JSON.parse(event.data)));
  opened.addEventListener("reset", all);
  opened.addEventListener("error", () => lost(opened));
}

/**
 * The browser tries again by itself, unless the server refused: then the script does, and looks whether somebody still
 * is signed in.
 * @param {EventSource} which
 */
function lost(which) {
  if (which !== source) return;
  downSinceMs ||= Date.now();
  showPulse();
  if (which.readyState !== EventSource.CLOSED) return;
  clearTimeout(retryTimer);
  retryTimer = window.setTimeout(
    () => {
      all();
      connect();
    },
    RETRY_MS[Math.min(retries++, RETRY_MS.length - 1)],
  );
}

/** A page that nobody sees lets go of its connection: browsers have six for all tabs of a server. */
function seen() {
  clearTimeout(hiddenTimer);
  if (document.visibilityState === "hidden") {
    hiddenTimer = window.setTimeout(() => {
      source?.close();
      source = null;
    }, HIDDEN_MS);
    return;
  }
  if (source === null && parts().length > 0) connect();
  all();
}

/** @param {Changed} what */
function changed(what) {
  document.dispatchEvent(new CustomEvent("spillway:changed", { detail: what }));
  for (const each of parts()) if (concerns(each, what)) due.add(each);
  schedule();
}

function all() {
  for (const each of parts()) due.add(each);
  schedule();
}

/**
 * @param {HTMLElement} part
 * @param {Changed} what
 */
function concerns(part, what) {
  const { liveId, liveOn } = part.dataset;
  if (liveId) return liveId.split(" ").includes(what.id ?? "");
  return !liveOn || liveOn === "any" || liveOn.split(" ").includes(what.kind ?? "incident");
}

function schedule() {
  if (refreshTimer || refreshing || due.size === 0 || document.visibilityState === "hidden") return;
  const wait = Math.max(0, lastRefreshMs + REFRESH_MS - Date.now());
  refreshTimer = window.setTimeout(refresh, wait);
}

async function refresh() {
  refreshTimer = 0;
  refreshing = true;
  lastRefreshMs = Date.now();
  const wanted = [...due].filter((each) => each.isConnected);
  due.clear();
  try {
    for (const each of wanted) await renew(each);
    freshMs = Date.now();
    downSinceMs = source?.readyState === EventSource.OPEN ? 0 : downSinceMs;
  } catch {
    downSinceMs ||= Date.now();
    for (const each of wanted) due.add(each);
    lastRefreshMs = Date.now() + RETRY_MS[1];
  }
  refreshing = false;
  showPulse();
  schedule();
}

/** @param {HTMLElement} part */
async function renew(part) {
  const block = part.dataset.live ?? "";
  const answer = await fetch(part.dataset.liveFrom ?? location.href, { headers: { "X-Fragment": block } });
  if (answer.status === 401 || answer.redirected) {
    say("You are signed out: sign in again to see what is new.");
    throw new Error("signed out");
  }
  if (!answer.ok) throw new Error(`refused: ${answer.status}`);
  setServerNow(Number(answer.headers.get("X-Now")));
  morphInside(part, await answer.text());
  reveal(part);
  tick();
  part.dispatchEvent(new CustomEvent("spillway:renewed", { bubbles: true }));
}

/** Say plainly how fresh the page is. */
function showPulse() {
  const pulse = /** @type {HTMLElement | null} */ (document.querySelector("[data-pulse]"));
  const words = pulse?.querySelector("[data-pulse-words]");
  if (!pulse || !words || parts().length === 0) return;
  let said = "live";
  if (downSinceMs) {
    said = `reconnecting since ${clock(downSinceMs)}`;
    if (Date.now() - freshMs > STALE_MS) said = `stale: as of ${clock(freshMs)}`;
  } else if (source?.readyState !== EventSource.OPEN) {
    said = "connecting";
  }
  pulse.hidden = false;
  pulse.dataset.state = said === "live" ? "live" : "waiting";
  if (words.textContent !== said) words.textContent = said;
}

/** @param {number} atMs */
function clock(atMs) {
  return new Date(atMs).toLocaleTimeString([], { hour12: false });
}
