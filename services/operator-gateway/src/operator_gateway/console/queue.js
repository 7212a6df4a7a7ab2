// A list of cases and the open case beside it. Both go by id: rows may come, go and change places, and
// an answer that comes late is of the case it was asked for or of none.

import { isAbort } from "./api.js";
import { outdate } from "./dialog.js";
import { arrange, h, state } from "./dom.js";
import { refusalText, t } from "./texts.js";

// Rows that are only passed by are not opened: opening is a read of a person's data and is logged.
const PASSING_MILLISECONDS = 250;

export class CasePanel {
  // `load(id, signal)` reads a case whole, `draw(panel, data)` shows it; `idOf` and `versionOf` name it.
  // `allow()` is asked before each read: it resolves to whether there is a purpose to read for.
  constructor({ view, load, draw, idOf, versionOf, allow }) {
    Object.assign(this, { view, load, draw, idOf, versionOf, allow });
    this.id = "";
    this.data = null;
    this.signal = null;
    this.listed = true;
    this.onchange = () => {};
    this.element = h("section", { class: "card case", tabIndex: -1, "aria-label": t("case") });
    this.away = h("p", { class: "unlisted", hidden: true }, t("case.not.listed"));
    this.close();
    view.onleave(() => this.abort());
  }

  abort() { this.asking?.abort(); clearTimeout(this.waiting); }

  // What is on the screen now, to bind an action to; null while nothing is, or not what there is now.
  shown() {
    return this.data && !this.outdated
      ? { id: this.id, version: this.versionOf(this.data), data: this.data } : null;
  }

  close() {
    this.abort();
    this.id = "";
    this.put(null, "empty", state("☰", t("pick")));
  }

  // Another case: what was shown goes from the screen at once, and its request is given up.
  open(id, { headline = "", passing = false } = {}) {
    this.abort();
    this.id = id;
    this.put(null, "loading", h("div", { class: "loading" }, h("h2", { class: "title" }, headline), state("…", t("loading"))));
    if (passing) this.waiting = setTimeout(() => this.read(), PASSING_MILLISECONDS);
    else this.read();
  }

  // The same case again: until it has been read, what is shown can be looked at and nothing done.
  reload() {
    if (!this.id) return;
    this.abort();
    this.outdate();
    this.read();
  }

  outdate() {
    this.outdated = true;
    this.element.setAttribute("aria-busy", "true");
    this.element.querySelectorAll(".decide button").forEach((button) => { button.disabled = true; });
    outdate(this.id);
  }

  async read() {
    const id = this.id, asking = this.asking = new AbortController();
    this.signal = asking.signal;
    try {
      if (!(await this.allow())) { if (!asking.signal.aborted) this.unread(); return; }
      if (asking.signal.aborted) return;
      const data = await this.load(id, asking.signal);
      if (!asking.signal.aborted) this.show(data);
    } catch (error) {
      if (isAbort(error) || asking.signal.aborted) return;
      if (error.status === 401) { this.view.failed(error); return; }
      this.put(null, "failed", h("div", { class: "state failed" }, h("span", { class: "sign", "aria-hidden": "true" }, "⚠"),
        h("p", {}, refusalText(error)), h("button", { onclick: () => this.open(id) }, t("retry"))));
    }
  }

  unread() {
    const id = this.id;
    this.put(null, "unread", state("⚿", t("purpose.needed"), h("p", {},
      h("button", { class: "main", onclick: () => this.open(id) }, t("purpose.choose")))));
  }

  // The answer to an action on a case: shown where that case is still the open one.
  show(data) {
    if (this.idOf(data) !== this.id) return;
    this.abort();
    this.asking = new AbortController();
    this.signal = this.asking.signal;
    this.put(data, "shown");
    this.element.append(...this.draw(this, data));
    this.onchange();
  }

  put(data, name, ...content) {
    this.data = data;
    this.outdated = false;
    this.element.removeAttribute("aria-busy");
    this.element.dataset.state = name;
    this.element.dataset.caseId = this.id;
    this.element.dataset.caseVersion = data ? String(this.versionOf(data)) : "";
    this.element.replaceChildren(this.away, ...content);
    this.onchange();
  }

  // Whether the open case stands in the list beside it.
  mark(listed) { this.away.hidden = listed || !this.id; }
}

export class Queue {
  // `fetchPage(token, signal)` answers { rows, next }, `drawRow(row)` the content of a row and its class,
  // `headline(row)` what names it while it loads. `pinned()` gives rows that stand above all filters.
  constructor({ view, panel, label, idOf, fetchPage, drawRow, headline, empty, pinned = () => [], groups = {} }) {
    Object.assign(this, { view, panel, idOf, fetchPage, drawRow, headline, empty, pinned, groups });
    this.rows = [];
    this.next = "";
    this.place = 0;
    this.lines = new Map();
    this.listbox = h("div", { class: "rows", role: "listbox", "aria-label": label, onkeydown: (event) => this.onkey(event) });
    this.after = h("div", { class: "after" });
    this.notes = h("div", { class: "notes" });
    this.element = h("div", { class: "list card" }, this.notes, this.listbox, this.after);
    panel.onchange = () => this.draw();
    view.onleave(() => this.listing?.abort());
  }

  get selected() { return this.panel.id; }

  ordered() {
    const above = this.pinned(), known = new Set(above.map(this.idOf));
    return [above, this.rows.filter((row) => !known.has(this.idOf(row)))];
  }

  // From the beginning, as after a change of filters: what was asked for before is given up.
  async restart() {
    await this.list(1);
    this.element.scrollTop = 0;
  }

  // The same rows again as they are now, and no fewer; after what is being asked for already.
  async reload() {
    await this.running?.catch(() => {}); // whoever asked for it is told
    await this.list(this.rows.length || 1);
  }

  list(wanted) { return this.running = this.ask((signal) => this.fetchRows(wanted, signal)); }

  async fetchRows(wanted, signal) {
    let page = await this.fetchPage("", signal);
    const rows = page.rows;
    while (page.next && page.rows.length && rows.length < wanted) {
      page = await this.fetchPage(page.next, signal);
      rows.push(...page.rows);
    }
    return { rows, next: page.next };
  }

  async ask(fetchRows) {
    this.listing?.abort();
    const { signal } = this.listing = new AbortController();
    try {
      const { rows, next } = await fetchRows(signal);
      if (signal.aborted) return;
      Object.assign(this, { rows, next });
      this.draw();
    } catch (error) { if (!isAbort(error)) throw error; }
  }

  more() {
    const known = new Set(this.rows.map(this.idOf));
    return this.running = this.ask(async (signal) => {
      const page = await this.fetchPage(this.next, signal);
      return { rows: [...this.rows, ...page.rows.filter((row) => !known.has(this.idOf(row)))], next: page.next };
    });
  }

  // A row as an action or the live feed made it; `gone` where it does not belong here any more.
  put(row, gone = false) {
    const at = this.rows.findIndex((one) => this.idOf(one) === this.idOf(row));
    if (at < 0) return;
    if (gone) this.rows.splice(at, 1); else this.rows[at] = row;
    this.draw();
  }

  // By one up or down from the open case, or from where it stood.
  move(by) {
    const rows = this.ordered().flat();
    if (!rows.length) return;
    const at = rows.findIndex((row) => this.idOf(row) === this.selected);
    const from = at >= 0 ? at + by : !this.selected ? 0 : by > 0 ? this.place : this.place - 1;
    const row = rows[Math.max(0, Math.min(rows.length - 1, from))];
    if (this.idOf(row) !== this.selected) this.pick(row, { passing: true });
  }

  pick(row, options = {}) {
    if (this.idOf(row) === this.selected && this.panel.shown()) return;
    this.panel.open(this.idOf(row), { headline: this.headline(row), ...options });
    const line = this.lines.get(this.idOf(row));
    line?.scrollIntoView({ block: "nearest" });
    if (this.listbox.contains(document.activeElement)) line?.focus({ preventScroll: true });
  }

  onkey(event) {
    const rows = this.ordered().flat();
    const moves = { ArrowDown: () => this.move(1), ArrowUp: () => this.move(-1),
      Home: () => this.pick(rows[0], { passing: true }), End: () => this.pick(rows.at(-1), { passing: true }),
      Enter: () => this.enter(event), Space: () => this.enter(event) };
    const act = moves[event.code];
    if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  enter(event) {
    const line = event.target.closest("[role=option]");
    const row = this.ordered().flat().find((one) => this.lines.get(this.idOf(one)) === line);
    if (row) this.pick(row);
  }

  draw() {
    const [above, rows] = this.ordered(), all = [...above, ...rows];
    const at = all.findIndex((row) => this.idOf(row) === this.selected);
    if (at >= 0) this.place = at;
    this.panel.mark(at >= 0);
    const current = at >= 0 ? this.selected : this.idOf(all[Math.min(this.place, all.length - 1)] ?? {}) ?? "";
    const known = new Set(all.map(this.idOf));
    for (const id of this.lines.keys()) if (!known.has(id)) this.lines.delete(id);
    const group = (name, rowsOf) => {
      const box = this.groups[name] ??= h("div", { role: "group", "aria-label": t(`group.${name}`) });
      arrange(box, rowsOf.map((row) => this.line(row, current)));
      return box;
    };
    arrange(this.listbox, [
      ...(above.length ? [group("emergencies", above)] : []), ...(rows.length ? [group("rest", rows)] : []),
    ]);
    this.listbox.hidden = !all.length;
    this.after.replaceChildren(...(all.length ? [] : [state("✓", this.empty())]),
      ...(this.next ? [h("button", { onclick: () => this.view.guard(() => this.more()) }, t("more"))] : []));
  }

  line(row, current) {
    const id = this.idOf(row);
    const line = this.lines.get(id) ?? h("div", { role: "option", onclick: () => this.pick(this.rowOf(id)) });
    this.lines.set(id, line);
    const { kind = "", content } = this.drawRow(row);
    line.className = `row ${kind}`;
    line.dataset.id = id;
    line.tabIndex = id === current ? 0 : -1;
    line.setAttribute("aria-selected", String(id === this.selected));
    line.replaceChildren(...content.filter(Boolean));
    return line;
  }

  rowOf(id) { return this.ordered().flat().find((row) => this.idOf(row) === id); }
}
