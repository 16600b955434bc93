// Elements, made without markup: text stays text, whatever is in it.

export const at = (id) => document.getElementById(id);

/** Make an element. Attributes that are null, false or undefined are left out. */
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Set an element's text, if it is another. */
export function tell(id, text) {
  const element = at(id);
  if (element.textContent !== text) element.textContent = text;
}

const shown = new WeakMap();

/** Fill an element anew, if what it shows has changed. */
export function fill(element, value, children) {
  const key = JSON.stringify(value);
  if (shown.get(element) === key) return;
  shown.set(element, key);
  element.replaceChildren(...children(value));
}

/** A bar that is so much of its place. */
export function bar(share) {
  const inner = make("i");
  inner.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return make("span", { class: "share", "aria-hidden": "true" }, inner);
}

/** Ask the server for JSON; an error has the server's own words. */
export async function ask(path, options) {
  const response = await fetch(new URL(`../${path}`, import.meta.url), options);
  const value = await response.json();
  if (!response.ok) throw new Error(value.detail ?? response.statusText);
  return value;
}
