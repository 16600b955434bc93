// The figures above the library: states, numbers, plots, tables.

import { ask, at, bar, fill, make, tell } from "./dom.js";
import { brief, count, duration, figure, lasting, percent, readable, size, sized, spelled, time } from "./format.js";
import { Plot, decades, linear } from "./plot.js";

const KEPT_S = 900;
const CONTENTS_EVERY_MS = 5000;

export class Vitals {
  constructor(about) {
    this.about = about;
    this.most = about.maxLatencyMs;
    this.points = [];
    const spell = (ms) => spelled(ms, this.most);
    this.rate = new Plot(at("rate-plot"), [{ name: "rate", value: (point) => point.rate }], linear, figure, true);
    const quantile = (name) => ({ name, label: name, value: (point) => point[name] });
    this.latency = new Plot(at("latency-plot"), ["p50", "p95", "p99"].map(quantile), decades, spell);
    this.contents = at("contents");
    this.contents.addEventListener("toggle", () => this.showContents());
  }

  /** Begin with the plots as they are. */
  begin(points) {
    this.points = points.map(named);
    this.plot();
  }

  show(tick) {
    const { now, window: whole, numbers } = tick;
    showStates(tick.states);
    const since = `${lasting(Math.min(whole.seconds, KEPT_S))}`;
    // Just after a pause there is no now yet.
    tell("rate", now.seconds < 0.5 ? "–" : figure(now.requests_per_s));
    tell("rate-aside", `${figure(whole.requests_per_s)} over ${since}`);
    for (const name of ["p50", "p95", "p99"]) {
      const [number, unit] = duration(now.quantiles[`${name}_ms`], this.most);
      tell(name, number);
      tell(`${name}-unit`, unit);
      tell(`${name}-aside`, `${spelled(whole.quantiles[`${name}_ms`], this.most)} over ${since}`);
    }
    tell("hits", percent(now.hit_rate));
    tell("hits-aside", whole.hit_rate === null ? "" : `${percent(whole.hit_rate)} % over ${since}`);
    const [bytes, unit] = size(numbers.cached_bytes);
    tell("cached", bytes);
    tell("cached-unit", unit);
    tell("cached-aside", `${count(numbers.cached)} documents`);
    tell("streams", count(numbers.streams));
    tell("streams-aside", `${count(numbers.sessions)} sessions`);
    tell("window", `last ${since}: ${count(whole.reads)} reads, ${count(whole.failed)} failed`);
    tell("documents", `${count(numbers.documents)} documents`);
    this.showBudget(numbers);
    fill(at("types").tBodies[0], tick.rows, (rows) => this.typeRows(rows));
    fill(at("slowest"), tick.slowest, (reads) => this.slowReads(reads));
    if (tick.point) {
      this.points.push(named(tick.point));
      this.points = this.points.filter((point) => tick.at_s - point.at <= KEPT_S);
      this.plot();
    }
    if (this.contents.open && Date.now() - (this.contentsAsked ?? 0) >= CONTENTS_EVERY_MS) this.showContents();
  }

  plot() {
    this.rate.show(this.points);
    this.latency.show(this.points);
  }

  showBudget({ cached, cached_bytes: bytes, evictions }) {
    const { maxResources, maxBytes, workers } = this.about;
    tell("budget-documents", `${count(cached)} of ${count(maxResources)}`);
    tell("budget-bytes", `${sized(bytes)} of ${sized(maxBytes)}`);
    tell("evictions", count(evictions));
    tell("cache-aside", workers > 1 ? `total of ${workers} workers` : "");
    at("gauge-documents").firstElementChild.style.width = `${(100 * cached) / maxResources}%`;
    at("gauge-bytes").firstElementChild.style.width = `${(100 * bytes) / maxBytes}%`;
  }

  typeRows(rows) {
    if (!rows.length) return [make("tr", {}, make("td", { colspan: 7, class: "empty" }, "No reads yet."))];
    const most = Math.max(...rows.map((row) => row.reads));
    return rows.map(({ type, result, reads, quantiles }) =>
      make("tr", {},
        make("th", { scope: "row" }, type),
        make("td", {}, make("span", { class: `tag ${result}` }, result)),
        make("td", { class: "n" }, count(reads)),
        make("td", { class: "bar" }, bar(reads / most)),
        ...["p50_ms", "p95_ms", "p99_ms"].map((name) => make("td", { class: "n" }, spelled(quantiles[name], this.most))),
      ));
  }

  slowReads(reads) {
    if (!reads.length) return [make("li", { class: "empty" }, "No reads yet.")];
    return reads.slice(0, 6).map((read) =>
      make("li", {},
        make("b", { title: `${read.taken_ms} ms` }, spelled(read.taken_ms)),
        make("a", { href: `#${read.uri}`, dir: "auto" }, readable(brief(read.uri))),
        make("span", { class: `tag ${tagOf(read.result)}` }, read.result),
        make("time", {}, time(read.at_s)),
        ...stages(read),
      ));
  }

  async showContents() {
    if (!this.contents.open) return;
    this.contentsAsked = Date.now();
    const body = this.contents.querySelector("tbody");
    try {
      const held = await ask("cache");
      const most = Math.max(1, ...held.map((each) => each.bytes));
      fill(body, held, () => held.length ? held.map((each) =>
        make("tr", {},
          make("th", { scope: "row" }, make("a", { href: `#${each.uri}`, dir: "auto" }, readable(brief(each.uri)))),
          make("td", { class: "n" }, count(each.forms)),
          make("td", { class: "n" }, sized(each.bytes)),
          make("td", { class: "bar" }, bar(each.bytes / most)),
        )) : [make("tr", {}, make("td", { colspan: 4, class: "empty" }, "Nothing yet."))]);
    } catch (error) {
      body.replaceChildren(make("tr", {}, make("td", { colspan: 4, class: "empty" }, error.message)));
    }
  }
}

const brisk = (ms) => spelled(Number(ms.toPrecision(2))).replace(/\.0+ /, " ").replace(/(\.\d*?)0+ /, "$1 ");

const tagOf = (result) => (["hit", "shared", "miss", "stale"].includes(result) ? result : "failed");

const named = ([end, seconds, rate, hitRate, p50, p95, p99]) => ({ at: end, seconds, rate, hitRate, p50, p95, p99 });

/** Say what is wrong. What was opened stays open while its figures change. */
function showStates(states) {
  const place = at("states");
  const count = states.length;
  tell("attention", count === 0 ? "No problems found." : count === 1 ? "1 problem found." : `${count} problems found.`);
  const known = new Map([...place.children].map((each) => [each.dataset.state, each]));
  const shown = states.map((state) => {
    const card = known.get(state.id) ?? newState(state);
    const [title, meaning, remedy] = card.querySelectorAll("[data-text]");
    for (const [element, text] of [[title, state.title], [meaning, state.meaning], [remedy, state.remedy]]) {
      if (element.textContent !== text) element.textContent = text;
    }
    return card;
  });
  if (shown.length !== place.children.length || shown.some((card, index) => place.children[index] !== card)) place.replaceChildren(...shown);
}

function newState({ id, level }) {
  return make("details", { class: `state ${level}`, "data-state": id, open: level === "bad" },
    make("summary", {}, make("span", { class: "badge" }, level === "bad" ? "Affects clients" : "Note"), make("span", { "data-text": true })),
    make("p", { "data-text": true }),
    make("p", {}, make("strong", {}, "What to do: "), make("span", { "data-text": true })));
}

/** What a slow read was made of: a bar to scale, and the same in words. */
function stages({ stages: parts, taken_ms: taken, result }) {
  if (!parts.length) return [make("p", { class: "stages" }, result === "hit" ? "cached; time spent queued" : "")];
  const track = make("div", { class: "track", "aria-hidden": "true" });
  for (const part of parts) {
    const piece = make("i", { class: part.name.replace(".", "-") });
    piece.style.left = `${Math.max(0, (100 * part.start_ms) / taken)}%`;
    piece.style.width = `${Math.min(100, (100 * part.duration_ms) / taken)}%`;
    track.append(piece);
  }
  const words = make("p", { class: "stages" });
  for (const part of parts) words.append(make("span", { class: part.name.replace(".", "-") }, `${part.name} ${brisk(part.duration_ms)}`), " ");
  return [track, words];
}
