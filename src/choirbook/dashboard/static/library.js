// The library: a tree that is asked for as it is opened, search, and one document with its preview.

import { ask, at, make } from "./dom.js";
import { ago, brief, count, date, readable, sized } from "./format.js";

const TYPING_MS = 180;
const REFRESH_MS = 5000;
const BUILDING_MS = 1000;
const SMALL = 60;

/** What a search found, in a few words. */
function summary({ results, more, complete }) {
  const found = `${more ? "More than " : ""}${results.length} found`;
  if (!complete) return `${results.length ? found : "Nothing found yet"}; the index is still being built.`;
  return results.length ? found : "Nothing found. Try other or fewer words.";
}

export class Shelf {
  constructor() {
    this.tree = at("tree");
    this.results = at("results");
    this.found = at("found");
    this.query = at("query");
    this.page = at("document");
    this.asked = 0;
    this.opened = 0;
    this.uri = "";
    this.document = "";
    this.shown = "";
    at("search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.search();
    });
    this.query.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.search(), TYPING_MS);
    });
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("hashchange", () => this.follow());
    setInterval(() => this.refresh(), REFRESH_MS);
    this.root();
    this.follow();
  }

  async root() {
    const list = await this.list("");
    this.tree.replaceChildren(list);
    // A library has one root as a rule, which nobody has to open; nor the shelves of a small one.
    const roots = [...list.querySelectorAll(":scope > li > button")];
    if (roots.length !== 1) return;
    await this.toggle(roots[0]);
    const shelves = [...roots[0].parentElement.querySelectorAll(":scope > ul > li > button")];
    if (Number(roots[0].dataset.documents) <= SMALL) for (const shelf of shelves) await this.toggle(shelf);
  }

  /** The list of what lies below a prefix. */
  async list(prefix) {
    const list = make("ul");
    await this.extend(list, prefix, null);
    return list;
  }

  async extend(list, prefix, after) {
    const parameters = new URLSearchParams({ under: prefix });
    if (after !== null) parameters.set("after", after);
    try {
      const page = await ask(`tree?${parameters}`);
      list.append(...page.entries.map((entry) => (entry.folder === undefined ? this.leaf(entry, prefix) : this.folder(entry))));
      if (page.after !== null) {
        const more = make("button", { class: "more", type: "button" }, "Show more");
        const item = make("li", {}, more);
        more.addEventListener("click", async () => {
          item.remove();
          await this.extend(list, prefix, page.after);
        });
        list.append(item);
      }
    } catch (error) {
      list.append(make("li", { class: "empty" }, error.message));
    }
  }

  folder({ folder, prefix, documents }) {
    const button = make("button", { type: "button", class: "folder", "aria-expanded": "false", "data-documents": documents },
      make("span", { class: "label", dir: "auto" }, readable(folder)), make("span", { class: "many" }, count(documents)));
    button.dataset.prefix = prefix;
    button.addEventListener("click", () => this.toggle(button));
    return make("li", {}, button);
  }

  /** Open a folder, or close it. What is below is asked for the first time. */
  async toggle(button) {
    const opens = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(opens));
    let list = button.nextElementSibling;
    if (opens && list === null) {
      list = make("ul");
      button.after(list);
      await this.extend(list, button.dataset.prefix, null);
      this.mark();
    }
    if (list) list.hidden = button.getAttribute("aria-expanded") === "false";
  }

  leaf({ uri, title, size }, prefix) {
    return make("li", {},
      make("a", { href: `#${uri}`, title: uri },
        make("span", { class: "label", dir: "auto" }, readable(uri.slice(prefix.length))),
        make("span", { class: "title", dir: "auto" }, title),
        make("span", { class: "many" }, sized(size))));
  }

  async search() {
    const words = this.query.value.trim();
    const number = (this.asked += 1);
    const isSearch = words !== "";
    if (!isSearch) {
      this.results.hidden = true;
      this.tree.hidden = false;
      this.found.textContent = "";
      return;
    }
    let answer = { results: [], complete: true };
    let told = "";
    try {
      answer = await ask(`search?${new URLSearchParams({ q: words, limit: "20" })}`);
      told = summary(answer);
    } catch (error) {
      told = error.message;
    }
    if (number !== this.asked) return;
    if (this.found.textContent !== told) this.found.textContent = told;
    this.tree.hidden = true;
    this.results.hidden = false;
    this.present(answer.results);
    // The first search has the index built. Until it is, more is found each time.
    if (!answer.complete) setTimeout(() => number === this.asked && this.search(), BUILDING_MS);
  }

  present(hits) {
    // What is shown already stays, and with it the focus of who walks through it.
    const shown = JSON.stringify(hits);
    if (this.shown === shown) return;
    this.shown = shown;
    this.results.replaceChildren(...hits.map((hit) =>
      make("li", {},
        make("a", { href: `#${hit.uri}` },
          make("span", { class: "title", dir: "auto" }, hit.title),
          make("span", { class: "where" }, ...[readable(brief(hit.document)), ...hit.headingPath.slice(0, -1)]
            .flatMap((part, index) => [index ? " › " : "", make("bdi", { dir: "auto" }, part)])),
          make("span", { class: "snippet", dir: "auto" }, hit.snippet)))));
    this.mark();
  }

  follow() {
    // As it stands: a canonical URI is percent-encoded, and decoded it would be another text.
    const uri = location.hash.slice(1);
    if (uri.includes("://")) this.open(uri);
  }

  async open(uri) {
    const number = (this.opened += 1);
    this.uri = this.document = uri;
    this.mark();
    try {
      const facts = await ask(`document?${new URLSearchParams({ uri })}`);
      if (number !== this.opened) return;
      // The server knows the canonical spelling, by which the tree and later answers name it.
      this.uri = facts.uri;
      this.document = facts.document;
      this.mark();
      this.page.replaceChildren(...this.sheet(facts));
      this.showFacts(facts);
      at("document").scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (number === this.opened) this.page.replaceChildren(make("p", { class: "empty" }, error.message));
    }
  }

  async refresh() {
    const facts = this.page.querySelector(".facts");
    if (!facts || document.hidden) return;
    try {
      this.showFacts(await ask(`document?${new URLSearchParams({ uri: this.uri })}`));
    } catch {
      // The next one tells; the page says itself when the server is gone.
    }
  }

  sheet({ uri, title, description, href, version, document: whole, documentTitle }) {
    const address = new URL(`../..${href}`, import.meta.url);
    const source = `preview?${new URLSearchParams({ uri, v: version })}`;
    return [
      make("header", {},
        make("h3", { dir: "auto" }, title),
        whole === uri ? null : make("p", { class: "whole" }, "Section of ", make("a", { href: `#${whole}`, dir: "auto" }, documentTitle)),
        make("p", { class: "uri" }, make("code", {}, uri), " ", make("a", { href: address, target: "_blank", rel: "noopener" }, "Open as served")),
        description && description !== title ? make("p", { class: "description", dir: "auto" }, description) : null),
      make("dl", { class: "facts" }),
      make("iframe", { title: `Preview of ${title}`, sandbox: "allow-same-origin allow-popups allow-popups-to-escape-sandbox",
        src: new URL(`../${source}`, import.meta.url), tabindex: "0" }),
    ];
  }

  showFacts(facts) {
    const list = this.page.querySelector(".facts");
    if (facts.uri !== this.uri || !list) return;
    const told = [
      ["Type", facts.type], ["Media type", facts.mimeType], ["Size", sized(facts.size)], ["Tokens (approx.)", count(facts.tokens)],
      ["Reads", count(facts.reads)],
      ["Last read", facts.lastRead === null ? "never" : ago(facts.lastRead)],
      ["Changed", `${date(facts.modified)}, ${ago(facts.modified)}`],
      ["Version", facts.version],
      ["In memory", facts.cachedForms ? `${count(facts.cachedForms)} ${facts.cachedForms === 1 ? "form" : "forms"}` : "no"],
      ["Subscribed", `${count(facts.streams)} ${facts.streams === 1 ? "stream" : "streams"}`],
    ];
    list.replaceChildren(...told.map(([name, value]) => make("div", { "data-fact": name }, make("dt", {}, name), make("dd", {}, value))));
  }

  /** Mark the document that is open, wherever it is listed. */
  mark() {
    for (const link of document.querySelectorAll(".shelf a")) {
      const isOpen = [`#${this.uri}`, `#${this.document}`].includes(link.getAttribute("href"));
      if (isOpen) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  key(event) {
    const isTyping = event.target.matches?.("input, textarea");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.query.focus();
    } else if (event.key === "Escape" && (event.target === this.query || !this.results.hidden)) {
      event.preventDefault();
      this.leave();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.step(event, event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      const wanted = event.key === "ArrowRight" ? "false" : "true";
      if (event.target.matches?.("#tree .folder") && event.target.getAttribute("aria-expanded") === wanted) event.target.click();
    }
  }

  /** Leave the search: the tree is there again, and the arrow keys lead into it. */
  leave() {
    clearTimeout(this.typing);
    this.query.value = "";
    this.search();
    at("library").focus({ preventScroll: true });
  }

  /** From the search to the first entry, and from one entry to the next. */
  step(event, by) {
    const entries = [...document.querySelectorAll("#tree a, #tree button, #results a")].filter((entry) => entry.checkVisibility());
    const place = entries.indexOf(event.target);
    if (place < 0 && event.target !== this.query && event.target !== at("library")) return;
    event.preventDefault();
    (entries[place + by] ?? (by < 0 ? this.query : entries.at(-1)))?.focus();
  }
}
