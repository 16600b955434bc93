// What was read, what never was, by whom, and what was sought in vain.

import { ask, at, fill, make, tell } from "./dom.js";
import { ago, brief, count, readable } from "./format.js";

const EVERY_MS = 5000;
const NOT_KEPT = "Not recorded. Start the server with --usage FILE or --usage-clients on.";

export class Readers {
  constructor() {
    this.isSeen = false;
    new IntersectionObserver((entries) => {
      this.isSeen = entries.at(-1).isIntersecting;
      this.look();
    }, { rootMargin: "200px" }).observe(at("readers-title").parentElement);
    setInterval(() => this.look(), EVERY_MS);
  }

  async look() {
    if (!this.isSeen || document.hidden) return;
    try {
      this.show(await ask("usage"));
    } catch (error) {
      tell("readers-aside", error.message);
    }
  }

  show(usage) {
    const read = usage.documents - usage.neverReadCount;
    tell("readers-aside", `${count(read)} of ${count(usage.documents)} documents read`);
    tell("never-aside", usage.neverReadCount ? count(usage.neverReadCount) : "");
    list("most", usage.mostRead, "Nothing yet.", (each) => [link(each.uri), number(each.reads, `last ${ago(each.lastReadS)}`)]);
    list("never", usage.neverRead, "Every document was read.", (uri) => [link(uri)]);
    list("clients", usage.clients, usage.countsClients ? "None yet." : NOT_KEPT, (client) => [
      make("details", {},
        make("summary", {}, make("span", {}, make("bdi", { dir: "auto" }, client.name), " ", make("small", {}, client.version)), number(client.reads, `${count(client.documents)} documents, last ${ago(client.lastReadS)}`)),
        make("ol", {}, ...client.loaded.map(([uri, reads]) => make("li", {}, link(uri), number(reads))))),
    ]);
    list("searches", usage.emptySearches, usage.countsClients ? "None." : NOT_KEPT, (each) => [make("q", { dir: "auto" }, each.query), number(each.count, `last ${ago(each.lastS)}`)]);
  }
}

const link = (uri) => make("a", { href: `#${uri}`, dir: "auto" }, readable(brief(uri)));

const number = (value, title) => make("span", { class: "many", title }, count(value));

function list(id, values, empty, describe) {
  fill(at(id), [values, empty], () => (values.length ? values.map((value) => make("li", {}, ...describe(value))) : [make("li", { class: "empty" }, empty)]));
}
