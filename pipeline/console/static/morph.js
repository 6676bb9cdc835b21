// @ts-check
// Put new HTML in the place of old, and leave alone what is the same: focus, scroll, selection, what somebody has
// opened, ticked or typed stay.

/**
 * Make what an element holds like the HTML.
 * @param {Element} element
 * @param {string} html
 */
export function morphInside(element, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  children(element, template.content);
}

/**
 * @param {Element} into
 * @param {ParentNode} from
 */
function children(into, from) {
  /** @type {Map<string, Element>} */
  const keyed = new Map();
  for (const each of into.children) {
    const key = keyOf(each);
    if (key) keyed.set(key, each);
  }
  let at = into.firstChild;
  for (const wanted of [...from.childNodes]) {
    const key = wanted instanceof Element ? keyOf(wanted) : "";
    let found = key ? (keyed.get(key) ?? null) : null;
    if (found === null && at !== null && alike(at, wanted) && !(at instanceof Element && keyOf(at))) {
      found = /** @type {any} */ (at);
    }
    if (found === null || !alike(found, wanted)) {
      into.insertBefore(wanted, at);
      continue;
    }
    if (found === at) at = at.nextSibling;
    else into.insertBefore(found, at);
    one(found, wanted);
  }
  while (at !== null) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/**
 * @param {Node} node
 * @param {Node} wanted
 */
function one(node, wanted) {
  if (!(node instanceof Element) || !(wanted instanceof Element)) {
    if (node.nodeValue !== wanted.nodeValue) node.nodeValue = wanted.nodeValue;
    return;
  }
  if (node.isEqualNode(wanted) || isTyped(node)) return;
  attributes(node, wanted);
  children(node, wanted);
}

/** Attributes that belong to whoever looks at the page: what he opened; and what the script shows. */
const KEPT = new Set(["open", "hidden"]);

/**
 * @param {Element} node
 * @param {Element} wanted
 */
function attributes(node, wanted) {
  for (const { name, value } of wanted.attributes) {
    if (!KEPT.has(name) && node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  for (const { name } of [...node.attributes]) {
    if (!KEPT.has(name) && !wanted.hasAttribute(name)) node.removeAttribute(name);
  }
}

/**
 * Whether somebody is typing in it, or has chosen something.
 * @param {Element} node
 */
function isTyped(node) {
  return node.matches("textarea, select, input:not([type=hidden])");
}

/**
 * @param {Node} one
 * @param {Node} other
 */
function alike(one, other) {
  if (one.nodeName !== other.nodeName) return false;
  return !(one instanceof Element && other instanceof Element) || keyOf(one) === keyOf(other);
}

/** @param {Element} element */
function keyOf(element) {
  return element.getAttribute("data-key") ?? element.id;
}
