// @ts-check
// What somebody asks for: sent without leaving the page, then followed until the pipeline has applied or refused it.
// Nothing is shown as done before it is.

import { openForm } from "./offers.js";
import { csrfHeader, say } from "./page.js";
import { unselect } from "./selection.js";

const TRACK_MS = [300, 500, 700, 1_000, 1_500, 2_000];
const PATIENCE_MS = 30_000;
const DONE_MS = 8_000;

/** @typedef {{command_id: string, incident_id: string, words: string, said?: string}} Asked */

/** Send forms that ask for something, and follow what was asked. */
export function startAsking() {
  document.addEventListener("submit", (event) => void submitted(event));
  for (const each of document.querySelectorAll("[data-asked-id]")) void track(/** @type {HTMLElement} */ (each));
}

/** @param {SubmitEvent} event */
async function submitted(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !("ask" in form.dataset)) return;
  event.preventDefault();
  const button = event.submitter instanceof HTMLButtonElement ? event.submitter : null;
  const fields = new FormData(form, button);
  const href = button?.getAttribute("formaction") ?? form.action;
  if (button?.dataset.formOf) return openForm(`${href}?${values(fields, button.dataset.formOf)}`);
  button?.setAttribute("disabled", "");
  try {
    const answer = await fetch(href, {
      method: "POST",
      headers: { ...csrfHeader(), Accept: "application/json" },
      body: new URLSearchParams(/** @type {any} */ (fields)),
    });
    await answered(form, answer);
  } catch {
    refuse(form, "The console does not answer: nothing was asked. Try again.");
  } finally {
    button?.removeAttribute("disabled");
  }
}

/**
 * The values of one field, as a query: of a form that another form goes on from, without its token.
 * @param {FormData} fields
 * @param {string} name
 */
function values(fields, name) {
  return new URLSearchParams(fields.getAll(name).map((value) => [name, String(value)]));
}

/**
 * @param {HTMLFormElement} form
 * @param {Response} answer
 */
async function answered(form, answer) {
  const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
  const body = isJson ? await answer.json() : null;
  if (!answer.ok || !body) return refuse(form, body?.detail ?? `The console refused: ${answer.status}.`);
  form.closest("dialog")?.close();
  unselect();
  for (const each of form.elements) if ("defaultValue" in each && each.defaultValue === "") each.value = "";
  for (const each of body.asked) show(each);
}

/**
 * @param {HTMLFormElement} form
 * @param {string} words
 */
function refuse(form, words) {
  let place = form.querySelector("[data-refusal]");
  if (!place) return say(words);
  place.removeAttribute("hidden");
  place.textContent = words;
}

/** @param {Asked} asked */
function show(asked) {
  const list = document.querySelector("[data-asked]");
  if (!list) return;
  const line = document.createElement("li");
  line.className = "asked__line";
  line.dataset.askedId = asked.command_id;
  line.dataset.state = asked.command_id ? "pending" : "refused";
  const words = document.createElement("span");
  words.dataset.words = "";
  words.textContent = asked.said || `${asked.words}: asked, waiting for the pipeline`;
  line.append(words);
  line.dataset.what = asked.words;
  list.prepend(line);
  void track(line);
}

/**
 * Ask what became of it until it is known.
 * @param {HTMLElement} line
 */
async function track(line) {
  const began = Date.now();
  for (let turn = 0; line.isConnected && line.dataset.state === "pending"; turn++) {
    const wait = Date.now() - began > PATIENCE_MS ? 5_000 : TRACK_MS[Math.min(turn, TRACK_MS.length - 1)];
    await new Promise((done) => setTimeout(done, wait));
    let found = null;
    try {
      const answer = await fetch(`/api/v1/commands/${encodeURIComponent(line.dataset.askedId ?? "")}`);
      found = answer.ok ? await answer.json() : null;
    } catch {
      // The bar says that the console is away; it is asked again.
    }
    if (found?.status === "applied" || found?.status === "refused") return settle(line, found);
    if (Date.now() - began > PATIENCE_MS) write(line, "asked; the pipeline has not answered yet. It will: what was asked is kept");
  }
}

/**
 * @param {HTMLElement} line
 * @param {{status: string, words?: string[]}} found
 */
function settle(line, found) {
  line.dataset.state = found.status;
  write(line, found.status === "applied" ? "done" : `refused: ${found.words?.join(" ") || "the timeline says why"}`);
  document.dispatchEvent(new CustomEvent("spillway:refresh"));
  const away = document.createElement("button");
  away.type = "button";
  away.className = "quiet tiny";
  away.textContent = "dismiss";
  away.addEventListener("click", () => line.remove());
  line.append(away);
  if (found.status === "applied") setTimeout(() => line.remove(), DONE_MS);
}

/**
 * @param {HTMLElement} line
 * @param {string} words
 */
function write(line, words) {
  const place = line.querySelector("[data-words]");
  const said = `${line.dataset.what}: ${words}`;
  if (place && place.textContent !== said) place.textContent = said;
}
