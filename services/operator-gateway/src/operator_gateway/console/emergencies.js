// Emergencies, watched for as long as somebody is signed in who must act on them: in the list, as a
// number in the title, and by a sound. Reports of violence and of children make no sound, and nothing
// but the number tells of them outside the list.

import { currentSession, get, isAbort } from "./api.js";
import { feed } from "./feed.js";
import { purposeOf } from "./purpose.js";
import { isCalling } from "./report.js";
import { alarm } from "./sound.js";

const ROLES = ["dispatcher", "supervisor"];
const SILENT = new Set(["domestic_violence", "incident_with_child"]);
// While the feed is broken they are looked for all the same; otherwise not, for a look at them is logged.
const LOOK_AGAIN_MILLISECONDS = 30_000;
// A look that failed is made up for: nothing else may happen for long that would make one look again.
const TRY_AGAIN_MILLISECONDS = 1500;
const mayPass = (error) => error.isAway || error.status === 429 || error.status >= 500;

class Emergencies {
  constructor() {
    this.rows = [];
    this.known = null;
    this.worsened = new Set();
    // Reports that came while the page was open: news, even if no look has succeeded before.
    this.arrived = new Set();
    this.listeners = new Set();
    this.asking = null;
    this.askAgain = false;
  }

  get count() { return this.rows.filter(isCalling).length; }

  subscribe(draw) {
    this.listeners.add(draw);
    return () => this.listeners.delete(draw);
  }

  start() {
    this.stop();
    if (!currentSession()?.roles.some((role) => ROLES.includes(role))) return;
    this.leave = feed.subscribe((kind, fact) => this.hear(kind, fact));
    this.timer = setInterval(() => { if (!feed.connected) this.look(); }, LOOK_AGAIN_MILLISECONDS);
    this.look();
  }

  stop() {
    this.leave?.();
    clearInterval(this.timer);
    clearTimeout(this.trying);
    this.asking?.abort();
    Object.assign(this, { rows: [], known: null, asking: null, askAgain: false, leave: null });
    this.worsened.clear();
    this.arrived.clear();
    this.tell();
  }

  hear(kind, fact) {
    if (kind === "fact" && !fact.subject.startsWith("reports.v1.")) return;
    if (kind === "fact" && fact.subject === "reports.v1.overdue") this.worsened.add(fact.id);
    if (kind === "fact" && fact.subject === "reports.v1.received" && !this.known) this.arrived.add(fact.id);
    if (kind !== "lost" && kind !== "refused") this.look();
  }

  // One look at a time; what happened meanwhile is looked at by the next.
  async look() {
    if (this.asking) { this.askAgain = true; return; }
    clearTimeout(this.trying);
    const { signal } = this.asking = new AbortController();
    try {
      const rows = [];
      let token = "";
      do {
        const page = await get(`/v1/reports?emergencies_only=true&page_size=200&page_token=${encodeURIComponent(token)}`,
          { purpose: purposeOf("reports"), signal });
        rows.push(...page.reports);
        token = page.next_page_token;
      } while (token);
      if (!signal.aborted) this.take(rows);
    } catch (error) {
      if (!isAbort(error) && mayPass(error)) this.trying = setTimeout(() => this.look(), TRY_AGAIN_MILLISECONDS);
    } finally {
      if (!signal.aborted) {
        this.asking = null;
        if (this.askAgain) { this.askAgain = false; this.look(); }
      }
    }
  }

  take(rows) {
    const before = this.known;
    this.rows = rows;
    this.known = new Map(rows.map((row) => [row.report.report_id, { overdue: row.overdue, version: row.report.version }]));
    const isNews = (row) => {
      const id = row.report.report_id;
      return before ? this.isNews(row, before.get(id)) : this.arrived.has(id);
    };
    const news = rows.filter((row) => isCalling(row) && isNews(row));
    for (const row of news) this.worsened.delete(row.report.report_id);
    this.arrived.clear();
    this.tell();
    if (news.some((row) => !SILENT.has(row.report.category))) alarm.ring();
  }

  // New here, or worse than it was: overdue now, or a step further up the ladder.
  isNews(row, before) {
    if (!before) return true;
    if (row.overdue && !before.overdue) return true;
    return this.worsened.has(row.report.report_id) && row.report.version > before.version;
  }

  tell() {
    const { count } = this;
    document.title = count ? `(${count}) Tartip` : "Tartip";
    for (const draw of [...this.listeners]) draw();
  }
}

export const emergencies = new Emergencies();
