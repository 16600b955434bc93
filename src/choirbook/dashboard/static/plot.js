// A plot of the last quarter of an hour, drawn as SVG.

const SPACE = "http://www.w3.org/2000/svg";
const SPANS_S = [120, 300, 900];
const GAP_S = 16;
const HEIGHT = 168;
const EDGE = { top: 10, right: 40, bottom: 22, left: 50 };

function shape(name, attributes, text) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A scale from 0, its top a round number. */
export function linear(values) {
  const most = Math.max(1, ...values);
  const step = 10 ** Math.floor(Math.log10(most));
  const top = [1, 2, 4, 5, 10].map((times) => times * step).find((candidate) => candidate >= most * 1.02) ?? 20 * step;
  return { ticks: [0, top / 2, top], place: (value) => value / top };
}

/** A scale of whole decades. */
export function decades(values) {
  const known = values.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...known, 0.1)));
  const high = Math.max(Math.ceil(Math.log10(Math.max(...known, 1))), low + 2);
  const ticks = [];
  for (let power = low; power <= high; power += 1) ticks.push(10 ** power);
  return { ticks, place: (value) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low) };
}

export class Plot {
  /**
   * @param figure Where it is drawn; has an `output` for the values under the pointer.
   * @param lines [{name, label, value: point -> number or null}], the first at the back.
   * @param scale values -> {ticks, place}
   * @param spell number -> text
   * @param isFilled whether the area under the first line is filled
   */
  constructor(figure, lines, scale, spell, isFilled = false) {
    Object.assign(this, { figure, lines, scale, spell, isFilled });
    this.title = figure.querySelector("h2").textContent;
    this.output = figure.querySelector("output");
    this.svg = shape("svg", { role: "img", height: HEIGHT });
    figure.append(this.svg);
    this.points = [];
    this.pointer = null;
    new ResizeObserver(() => this.draw()).observe(figure);
    this.svg.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.point(null));
  }

  show(points) {
    this.points = points;
    this.draw();
  }

  point(x) {
    this.pointer = x;
    this.draw();
  }

  draw() {
    const width = this.figure.clientWidth;
    if (!width) return;
    const end = this.points.at(-1)?.at ?? Date.now() / 1000;
    const inner = { width: width - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
    // As long as there is little to show, it is shown large.
    const age = end - (this.points[0]?.at ?? end);
    const span = SPANS_S.find((candidate) => candidate >= age) ?? SPANS_S.at(-1);
    const x = (at) => EDGE.left + (1 - (end - at) / span) * inner.width;
    const visible = this.points.filter((point) => end - point.at <= span);
    const values = visible.flatMap((point) => this.lines.map((line) => line.value(point))).filter((value) => value !== null);
    const scale = this.scale(values);
    const y = (value) => EDGE.top + (1 - scale.place(value)) * inner.height;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute("width", width);
    this.svg.dataset.points = visible.length;
    this.svg.setAttribute("aria-label", this.describe(visible));
    this.svg.replaceChildren(...this.axes(width, scale.ticks, x, y, end, span), ...this.curves(visible, x, y), ...this.cursor(visible, x, y, end));
  }

  axes(width, ticks, x, y, end, span) {
    const made = [];
    for (const tick of ticks) {
      const at = Math.round(y(tick)) + 0.5;
      made.push(shape("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: at, y2: at }));
      made.push(shape("text", { class: "tick", x: EDGE.left - 8, y: at + 3.5, "text-anchor": "end" }, this.spell(tick).replace(/\.0+(?= |$)/, "")));
    }
    for (const share of [1, 0.5, 0]) {
      const minutes = (share * span) / 60;
      const text = minutes ? `−${minutes} min` : "now";
      const anchor = share === 1 ? "start" : share ? "middle" : "end";
      made.push(shape("text", { class: "tick", x: x(end - minutes * 60), y: HEIGHT - 4, "text-anchor": anchor }, text));
    }
    return made;
  }

  curves(visible, x, y) {
    const made = [];
    const ends = [];
    for (const [index, line] of this.lines.entries()) {
      const runs = runsOf(visible, line.value);
      for (const run of runs) {
        const path = run.map((point, step) => `${step ? "L" : "M"}${x(point.at).toFixed(1)} ${y(line.value(point)).toFixed(1)}`).join("");
        if (this.isFilled && index === 0) {
          const base = y(0).toFixed(1);
          made.push(shape("path", { class: `area ${line.name}`, d: `${path}L${x(run.at(-1).at).toFixed(1)} ${base}L${x(run[0].at).toFixed(1)} ${base}Z` }));
        }
        if (run.length === 1) made.push(shape("circle", { class: `dot ${line.name}`, cx: x(run[0].at), cy: y(line.value(run[0])), r: 2 }));
        made.push(shape("path", { class: `line ${line.name}`, d: path }));
      }
      const last = visible.findLast((point) => line.value(point) !== null);
      if (last && line.label) ends.push({ line, x: x(last.at), y: y(line.value(last)) });
    }
    return [...made, ...labels(ends)];
  }

  cursor(visible, x, y, end) {
    if (this.pointer === null || !visible.length) {
      this.output.textContent = "";
      return [];
    }
    const nearest = visible.reduce((best, point) => (Math.abs(x(point.at) - this.pointer) < Math.abs(x(best.at) - this.pointer) ? point : best));
    const parts = this.lines.filter((line) => line.value(nearest) !== null).map((line) => `${line.label ?? ""} ${this.spell(line.value(nearest))}`.trim());
    const seconds = Math.round(end - nearest.at);
    this.output.textContent = `${seconds ? `−${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` : "now"}  ${parts.join(" · ") || "no reads"}`;
    const at = x(nearest.at);
    const dots = this.lines.filter((line) => line.value(nearest) !== null).map((line) => shape("circle", { class: `dot ${line.name}`, cx: at, cy: y(line.value(nearest)), r: 3 }));
    return [shape("line", { class: "cursor", x1: at, x2: at, y1: EDGE.top, y2: HEIGHT - EDGE.bottom }), ...dots];
  }

  describe(visible) {
    const last = visible.at(-1);
    if (!last) return `${this.title}: no figures yet.`;
    const parts = this.lines.filter((line) => line.value(last) !== null).map((line) => `${line.label ?? "rate"} ${this.spell(line.value(last))}`);
    return `${this.title}, over 15 minutes. Last: ${parts.join(", ") || "no reads"}.`;
  }
}

/** Points that belong together: without a value, or after a pause, a line begins anew. */
function runsOf(points, value) {
  const runs = [];
  let before = null;
  for (const point of points) {
    if (value(point) === null) {
      before = null;
      continue;
    }
    if (before === null || point.at - before.at > GAP_S) runs.push([]);
    runs.at(-1).push(point);
    before = point;
  }
  return runs;
}

/** Names at the ends of lines, moved apart where they would meet. */
function labels(ends) {
  ends.sort((one, other) => one.y - other.y);
  let lowest = -Infinity;
  return ends.map((end) => {
    const y = Math.max(end.y + 3.5, lowest + 12);
    lowest = y;
    return shape("text", { class: `name ${end.line.name}`, x: end.x + 6, y }, end.line.label);
  });
}
