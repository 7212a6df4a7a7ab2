// A list of cases beside the open one. It goes by id: rows may come, go and change places.

import { isAbort } from "./api.js";
import { arrange, h, state } from "./dom.js";
import { failedState } from "./panel.js";
import { t } from "./texts.js";

// So many rows from the beginning, by whole pages; `fetchPage(token)` answers { rows, next }.
export async function fetchRows(fetchPage, wanted) {
  let page = await fetchPage("");
  const rows = page.rows;
  while (page.next && page.rows.length && rows.length < wanted) {
    page = await fetchPage(page.next);
    rows.push(...page.rows);
  }
  return { rows, next: page.next };
}

export class Queue {
  // `fetchPage(token, signal)` answers { rows, next }, `drawRow(row)` the content of a row and its class,
  // `headline(row)` what names it while it loads. `pinned()` gives rows that stand above all filters.
  constructor({ view, panel, label, idOf, fetchPage, drawRow, headline, empty, pinned = () => [], groups = {} }) {
    Object.assign(this, { view, panel, idOf, fetchPage, drawRow, headline, empty, pinned, groups });
    this.rows = [];
    this.next = "";
    this.place = 0;
    this.loading = false;
    this.failure = null;
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

  // From the beginning, as after a change of filters: what was asked for before is given up, and what
  // stood here is of another list.
  async restart() {
    Object.assign(this, { rows: [], next: "", place: 0, loading: true, failure: null });
    this.draw();
    this.element.scrollTop = 0;
    await this.list(1);
  }

  // The same rows again as they are now, and no fewer; after what is being asked for already.
  async reload() {
    await this.running?.catch(() => {}); // whoever asked for it is told
    await this.list(this.rows.length || 1);
  }

  list(wanted) {
    return this.running = this.ask((signal) => fetchRows((token) => this.fetchPage(token, signal), wanted));
  }

  async ask(fetch) {
    this.listing?.abort();
    const { signal } = this.listing = new AbortController();
    try {
      const { rows, next } = await fetch(signal);
      if (signal.aborted) return;
      Object.assign(this, { rows, next, loading: false, failure: null });
      this.draw();
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      if (this.loading) { Object.assign(this, { loading: false, failure: error }); this.draw(); }
      throw error;
    }
  }

  async more() {
    await this.running?.catch(() => {});
    if (!this.next) return;
    const known = new Set(this.rows.map(this.idOf));
    await (this.running = this.ask(async (signal) => {
      const page = await this.fetchPage(this.next, signal);
      return { rows: [...this.rows, ...page.rows.filter((row) => !known.has(this.idOf(row)))], next: page.next };
    }));
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
    this.after.replaceChildren(...(all.length && !this.loading && !this.failure ? [] : [this.standing()]),
      ...(this.next ? [h("button", { onclick: () => this.view.guard(() => this.more()) }, t("more"))] : []));
  }

  // What stands where there are no rows.
  standing() {
    if (this.failure) return failedState(this.failure, () => this.view.guard(() => this.restart()));
    return this.loading ? state("…", t("loading")) : state("✓", this.empty());
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
