// The live feed, one connection for the whole page: facts as they happen, ids only. After a break it
// goes on from the last position it was given, the one of `ready` if nothing else came.

import { post } from "./api.js";

const AGAIN_MILLISECONDS = 2000;
// The gateway is heard of every 15 s at the latest.
const SILENT_MILLISECONDS = 40_000;

export class Feed {
  constructor() {
    this.listeners = new Set();
    this.position = "";
    this.connected = false;
    this.running = false;
  }

  // `hear(kind, detail)`: "fact" with the fact, "ready" (whether it goes on where it broke off), "gap",
  // "dropped" (its number), "lost", "refused".
  subscribe(hear) {
    this.listeners.add(hear);
    return () => this.listeners.delete(hear);
  }

  start() {
    if (this.running) return;
    this.running = true;
    this.position = "";
    this.connect();
  }

  stop() {
    this.running = false;
    this.source?.close();
    clearTimeout(this.waiting);
    clearTimeout(this.watching);
    this.connected = false;
  }

  tell(kind, detail) { for (const hear of [...this.listeners]) hear(kind, detail); }

  // A ticket opens one stream: after a break a new one is asked for.
  async connect() {
    try {
      const { ticket } = await post("/v1/events/tickets", undefined);
      if (!this.running) return;
      const resumes = Boolean(this.position);
      const query = new URLSearchParams({ ticket, ...(resumes ? { resume_after: this.position } : {}) });
      this.listen(new EventSource(`/v1/events?${query}`), resumes);
    } catch (error) {
      if (error.status === 401) { this.stop(); this.tell("refused", error); } else this.again();
    }
  }

  listen(source, resumes) {
    this.source = source;
    const on = (kind, act) => source.addEventListener(kind, (event) => {
      if (source !== this.source) return;
      this.watch();
      if (event.lastEventId) this.position = event.lastEventId;
      act?.(event.data ? JSON.parse(event.data) : {});
    });
    on("ready", () => { this.connected = true; this.tell("ready", resumes); });
    on("fact", (fact) => this.tell("fact", fact));
    on("dropped", ({ missed }) => this.tell("dropped", missed));
    on("gap", () => this.tell("gap"));
    on("heartbeat");
    on("expired", () => this.again());
    source.onerror = () => { if (source === this.source) this.again(); };
    this.watch();
  }

  watch() {
    clearTimeout(this.watching);
    this.watching = setTimeout(() => this.again(), SILENT_MILLISECONDS);
  }

  again() {
    this.source?.close();
    this.source = null;
    clearTimeout(this.watching);
    this.connected = false;
    if (!this.running) return;
    this.tell("lost");
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.connect(), AGAIN_MILLISECONDS);
  }
}

export const feed = new Feed();
