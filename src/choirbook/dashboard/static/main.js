// The page: one stream from the server, shown as it comes.

import { ask, at, tell } from "./dom.js";
import { Readers } from "./readers.js";
import { Shelf } from "./library.js";
import { Vitals } from "./vitals.js";

const AGAIN_MS = 3000;
const SILENT_MS = 5000;

function link(state, text) {
  at("link").dataset.state = state;
  tell("link", text);
}

class Feed {
  constructor(vitals) {
    this.vitals = vitals;
    this.heard = Date.now();
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    setInterval(() => this.watch(), 1000);
    this.open();
  }

  open() {
    if (this.source || document.hidden) return;
    clearTimeout(this.again);
    this.source = new EventSource(new URL("../events", import.meta.url));
    this.source.addEventListener("message", (event) => this.hear(JSON.parse(event.data)));
    this.source.addEventListener("error", () => this.lose());
  }

  close() {
    clearTimeout(this.again);
    this.source?.close();
    this.source = null;
  }

  hear(message) {
    this.heard = Date.now();
    if (message.kind === "hello") this.vitals.begin(message.points);
    else {
      this.vitals.show(message);
      link("live", "Live");
    }
  }

  lose() {
    this.close();
    link("lost", "No connection, retrying");
    this.again = setTimeout(() => this.open(), AGAIN_MS);
  }

  watch() {
    if (this.source && Date.now() - this.heard > SILENT_MS) link("lost", "No data from the server");
  }
}

async function begin() {
  try {
    const about = await ask("about");
    document.title = `${about.library} · Choirbook`;
    tell("about", `${about.library} · ${about.version}${about.workers > 1 ? ` · ${about.workers} workers` : ""}`);
    new Feed(new Vitals(about));
    new Shelf();
    new Readers();
  } catch {
    link("lost", "No connection, retrying");
    setTimeout(begin, AGAIN_MS);
  }
}

begin();
