// Fines: a table, and the open one.

import { get, isAbort } from "./api.js";
import { arrange, facts, h, state, visible } from "./dom.js";
import { moment, sum } from "./formats.js";
import { CasePanel, failedState } from "./panel.js";
import { purposeChip, purposeOf, requirePurpose } from "./purpose.js";
import { fetchRows } from "./queue.js";
import { code, t } from "./texts.js";

const QUEUE = "fines";
const STATES = ["awaiting", "issued", "delivered", "paid", "cancelled", "appealed", "in_force", "overdue"];
const LOUD = { paid: "good", overdue: "bad", in_force: "warn", appealed: "warn" };
const HEADS = ["number", "status", "rule", "region", "issued", "amount", "discount", "discount.until", "pay.until"];

export async function finesView(view) {
  const fines = new Fines(view);
  await fines.load();
  return fines.elements();
}

class Fines {
  constructor(view) {
    this.view = view;
    Object.assign(this, { rows: [], next: "", wanted: "", loading: false, failure: null, listing: null, lines: new Map() });
    this.body = h("tbody");
    this.table = h("table", {}, h("caption", { class: "unseen" }, t("tab.fines")), h("thead", {}, h("tr", {}, HEADS.map((name) =>
      h("th", { scope: "col", class: ["amount", "discount"].includes(name) ? "number" : "" }, t(name))))), this.body);
    this.place = h("div", { class: "card table", onkeydown: (event) => this.onkey(event) });
    this.panel = new CasePanel({
      view, draw: (_, fine) => about(fine, { close: () => this.panel.close(), open: (number) => this.open(number) }),
      idOf: (fine) => fine.number, versionOf: (fine) => fine.version, allow: () => requirePurpose(QUEUE),
      load: async (number, signal) =>
        (await get(`/v1/fines/${encodeURIComponent(number)}`, { purpose: purposeOf(QUEUE), signal })).fine,
    });
    this.panel.onchange = () => this.draw();
    this.search = h("input", { placeholder: t("number"), "aria-label": t("number"), maxLength: 64,
      onkeydown: (event) => { if (event.key === "Enter") this.find(); } });
    view.onleave(() => this.listing?.abort());
    view.keys = { Slash: { label: t("find"), run: () => this.search.focus() } };
  }

  open(number) { this.panel.open(number, { headline: number }); }
  find() { if (this.search.value.trim()) this.open(this.search.value.trim()); }

  async fetchPage(token, signal) {
    const query = new URLSearchParams({ page_size: 50, page_token: token, ...(this.wanted ? { state: this.wanted } : {}) });
    const page = await get(`/v1/fines?${query}`, { purpose: purposeOf(QUEUE), signal });
    return { rows: page.fines, next: page.next_page_token };
  }

  // The list of another filter: what stood here is of none any more.
  async restart() {
    Object.assign(this, { rows: [], next: "", loading: true, failure: null });
    this.draw();
    await this.load();
  }

  // As many rows as there are, as they are now; with `token` the next page besides.
  async load(token = "") {
    this.listing?.abort();
    const { signal } = this.listing = new AbortController();
    const page = (at) => this.fetchPage(at, signal);
    try {
      const found = await (token ? page(token) : fetchRows(page, this.rows.length));
      if (signal.aborted) return;
      const rows = token ? [...this.rows, ...found.rows] : found.rows;
      Object.assign(this, { rows, next: found.next, loading: false, failure: null });
      this.draw();
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      if (this.loading) { Object.assign(this, { loading: false, failure: error }); this.draw(); }
      throw error;
    }
  }

  draw() {
    const { panel, rows, place } = this;
    panel.element.hidden = !panel.id;
    panel.mark(!panel.id || rows.some(({ number }) => number === panel.id));
    arrange(this.body, rows.map((fine) => this.line(fine)));
    const more = () => this.view.guard(() => this.load(this.next));
    const rest = this.next ? [h("div", { class: "after" }, h("button", { onclick: more }, t("more")))] : [];
    if (rows.length) arrange(place, [this.table, ...rest]); else place.replaceChildren(this.standing());
  }

  // What stands where there are no rows.
  standing() {
    if (this.failure) return failedState(this.failure, () => this.view.guard(() => this.restart()));
    return this.loading ? state("…", t("loading")) : state("◌", t("fines.empty"));
  }

  line(fine) {
    const row = this.lines.get(fine.number) ?? this.newLine(fine.number);
    row.classList.toggle("chosen", fine.number === this.panel.id);
    row.querySelector("button").setAttribute("aria-expanded", String(fine.number === this.panel.id));
    const cells = [
      h("span", {}, h("span", { class: `tag ${LOUD[fine.state] ?? ""}` }, t(`state.${fine.state}`)),
        fine.hold_reason ? h("div", { class: "small soft" }, code("hold", fine.hold_reason)) : null),
      fine.article, fine.region, moment(fine.issued_at), sum(fine.amount), sum(fine.discounted_amount),
      fine.dates?.discount_until ?? "", fine.dates?.voluntary_until ?? "",
    ].map((content, at) => h("td", { class: at === 4 || at === 5 ? "number" : "" }, content));
    arrange(row, [row.firstElementChild, ...cells]);
    return row;
  }

  newLine(number) {
    const row = h("tr", { class: "pickable", onclick: () => this.open(number) },
      h("td", {}, h("button", { class: "link mono", type: "button" }, number)));
    this.lines.set(number, row);
    return row;
  }

  // Up and down go from fine to fine.
  onkey(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.code];
    const buttons = [...this.body.querySelectorAll("button.link")], at = buttons.indexOf(document.activeElement);
    if (!by || at < 0) return;
    event.preventDefault();
    buttons[Math.max(0, Math.min(buttons.length - 1, at + by))].focus();
  }

  elements() {
    const filter = h("select", { "aria-label": t("status"), onchange: (event) => {
      this.wanted = event.target.value;
      this.view.guard(() => this.restart());
    } }, h("option", { value: "" }, t("all")), STATES.map((name) => h("option", { value: name }, t(`state.${name}`))));
    return [
      h("div", { class: "bar" }, h("h1", {}, t("tab.fines")), filter, purposeChip(this.view, QUEUE), h("span", { class: "grow" }),
        this.search, h("button", { onclick: () => this.find() }, t("find")),
        h("button", { onclick: () => this.view.guard(() => this.load()) }, t("refresh"))),
      this.panel.element, this.place,
    ];
  }
}

function about(fine, { close, open }) {
  return [
    h("div", { class: "bar" }, h("h2", { class: "title mono" }, fine.number),
      h("span", { class: `tag ${LOUD[fine.state] ?? ""}` }, t(`state.${fine.state}`)),
      h("span", { class: "grow" }),
      h("button", { onclick: close, "aria-label": t("close") }, "✕")),
    fine.hold_reason ? h("div", { class: "hold" }, code("hold", fine.hold_reason)) : null,
    fine.assumed_years.length ? h("div", { class: "hold" }, `${t("assumed_years")}: ${fine.assumed_years.join(", ")}`) : null,
    facts([
      [t("fine.conflicts"), fine.conflicting_numbers.map((number) =>
        h("button", { class: "link mono", type: "button", onclick: () => open(number) }, number))],
      [t("rule"), `${fine.article} (${code("offence", fine.offence_code)})`],
      [t("amount"), sum(fine.amount)], [t("discount"), sum(fine.discounted_amount)],
      [t("discount.until"), fine.dates?.discount_until], [t("appeal.until"), fine.dates?.appeal_until],
      [t("pay.until"), fine.dates?.voluntary_until], [t("owner"), visible(fine.owner_masked)],
      [t("when"), moment(fine.occurred_at)], [t("issued"), moment(fine.issued_at)],
      [t("violation"), fine.violation_id && h("span", { class: "mono" }, fine.violation_id)],
      [t("story"), fine.story && h("span", { class: "mono" }, fine.story)],
    ]),
  ].filter(Boolean);
}
