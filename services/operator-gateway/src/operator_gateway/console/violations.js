// The review queue, by keyboard alone. A decision is signed only where the bytes to sign say what the
// screen says.

import { currentSession, get, newId, post } from "./api.js";
import { checked, Differs } from "./canonical.js";
import { Desk } from "./desk.js";
import { h, notify, written } from "./dom.js";
import { moment } from "./formats.js";
import { purposeChip } from "./purpose.js";
import { readSigner, signed } from "./signing.js";
import { code, fieldName, t } from "./texts.js";
import { about, conflicts, decidedBy, heading, headline, showEvidence, signedToo, warnings } from "./violation.js";

const STATES = ["review", "confirmed", "rejected", "annulled"];
const reason = () => [{ name: "reason", label: t("reason"), long: true, max: 500 }];
const ACTIONS = {
  confirm: { key: "KeyC", kind: "main", label: "confirm", done: "confirmed" },
  reject: { key: "KeyR", kind: "danger", label: "reject", send: "reject", done: "rejected", fields: reason },
  annul: { key: "KeyX", kind: "danger", label: "annul", send: "annul", done: "annulled", fields: reason },
};
let signer = null;
export const forgetSigner = () => { signer = null; };

export async function violationsView(view) {
  const desk = new ReviewDesk(view);
  await desk.queue.restart();
  return desk.elements();
}

class ReviewDesk extends Desk {
  constructor(view) {
    super(view, { queueName: "violations", subjects: "violations.v1.", label: t("tab.violations"), actions: ACTIONS });
    this.wanted = { state: "review" };
    this.paused = "";
    // Violations whose every picture stands on the screen and is the one of its hash.
    this.verified = new WeakSet();
    this.evidence = { id: "", loaded: new Map() };
    // Confirmed ones that a new violation contradicts, since this page was opened.
    this.contradicted = new Set();
    this.filter = this.select("state", t("status"), STATES.map((name) => h("option", { value: name }, t(`state.${name}`))));
    this.keyPicker = h("input", { type: "file", multiple: true, hidden: true, accept: ".pem,.key",
      onchange: (event) => this.pickKey(event.target.files) });
    this.keyButton = h("button", { title: t("key.stays"), onclick: () => this.keyPicker.click() });
    this.drawKey();
  }

  idOf(violation) { return violation.violation_id; }
  versionOf(violation) { return violation.version; }
  actionsOf(violation) { return violation.actions; }
  headline(violation) { return headline(violation); }
  nameOf(violation) { return [violation.plate?.text, headline(violation), moment(violation.occurred_at)].filter(Boolean).join(" · "); }
  empty() { return t(this.wanted.state === "review" ? "queue.empty" : "queue.none"); }

  async load(id, signal) {
    return (await get(`/v1/violations/${id}`, { purpose: this.purpose, signal })).violation;
  }

  async fetchPage(token, signal) {
    const query = new URLSearchParams({ state: this.wanted.state, page_size: 50, page_token: token });
    const page = await get(`/v1/violations?${query}`, { purpose: this.purpose, signal });
    this.paused = page.paused_since ? `${t("queue.paused")} ${moment(page.paused_since)} · ${page.held_reads}` : "";
    this.drawNotes();
    return { rows: page.violations, next: page.next_page_token };
  }

  drawNotes() {
    const open = (id) => {
      this.contradicted.delete(id);
      this.drawNotes();
      this.panel.open(id);
    };
    this.queue.notes.replaceChildren(...(this.paused ? [h("p", { class: "hold" }, this.paused)] : []),
      ...[...this.contradicted].map((id) =>
        h("p", { class: "hold" }, t("conflict.found"), " ", h("button", { onclick: () => open(id) }, t("open")))));
  }

  drawRow(row) {
    return { content: [
      h("div", { class: "top" }, h("strong", {}, headline(row)), h("span", { class: "tag" }, row.offence?.article || "")),
      h("div", { class: "small soft" }, `${moment(row.occurred_at)} · ${row.place?.region ?? ""}`),
      row.hold_reason ? h("span", { class: "tag warn" }, code("hold", row.hold_reason)) : null,
      row.caution ? h("span", { class: "tag warn" }, code("caution", row.caution)) : null,
    ] };
  }

  draw(violation, signal) {
    if (this.evidence.id !== violation.violation_id) this.evidence = { id: violation.violation_id, loaded: new Map() };
    const place = h("div", { class: "evidence alone" }), bar = h("div", { class: "decide" });
    const options = { purpose: this.purpose, signal };
    this.verify(violation, { place, bar, ...options });
    return [heading(violation), decidedBy(violation), ...warnings(violation), place, about(violation),
      conflicts(violation, { ...options, open: (other) => this.panel.open(other.violation_id, { headline: headline(other) }) }),
      signedToo(violation), bar].filter(Boolean);
  }

  // Shows the evidence; what may be decided opens once all of it stands there.
  async verify(violation, { place, bar, purpose, signal }) {
    this.drawButtons(bar, violation);
    const again = () => this.verify(violation, { place, bar, purpose, signal });
    const isThere = await showEvidence(place, violation, { purpose, signal, loaded: this.evidence.loaded, again });
    if (isThere) this.verified.add(violation);
    if (this.panel.data === violation && !this.panel.outdated) this.drawButtons(bar, violation);
  }

  waitsFor(verdict, violation) {
    if (verdict === "annul") return "";
    const isThere = this.verified.has(violation) && (verdict !== "confirm" || violation.evidence_sha256.length > 0);
    return isThere ? "" : t("evidence.first");
  }

  whyNot(verdict, bound) {
    const why = super.whyNot(verdict, bound);
    if (why || signer || verdict === "annul") return why;
    this.keyButton.focus();
    return t("key.needed");
  }

  hint(violation, offered) {
    const waits = offered.map((verdict) => this.waitsFor(verdict, violation)).find(Boolean);
    return h("span", { class: "soft small" }, waits ?? t("key.stays"));
  }

  async perform(bound, verdict, values, purpose) {
    const { reason: why = "" } = values;
    return verdict === "annul" ? this.annul(bound, why, purpose) : this.sign(bound, verdict, why, purpose);
  }

  async sign({ id, version, data }, verdict, why, purpose) {
    const { canonical } = await post(`/v1/violations/${id}/decision/prepare`, { verdict, reason: why, version }, purpose);
    const bytes = checked(canonical, data, { verdict, reason: why, officer: currentSession().operator });
    const body = await signed(signer, bytes, newId());
    return (await post(`/v1/violations/${id}/${verdict}`, body, purpose)).violation;
  }

  async annul({ id, version }, why, purpose) {
    return (await post(`/v1/violations/${id}/annul`, { decision_id: newId(), reason: why, version }, purpose)).violation;
  }

  done(verdict, violation) {
    notify(`${t(ACTIONS[verdict].done)}: ${headline(violation)}`);
    this.queue.put(violation, violation.state !== this.wanted.state);
  }

  failed(bound, error) {
    if (!(error instanceof Differs) || !this.isShown(bound.id)) { super.failed(bound, error); return; }
    const table = differences(error);
    this.panel.element.querySelector(".differs")?.remove();
    this.panel.element.querySelector(".bar").after(table);
    table.scrollIntoView({ block: "nearest" });
  }

  hear(fact) {
    if (isConflict(fact)) { this.contradicted.add(fact.id); this.drawNotes(); }
    if (isConflict(fact) && fact.id === this.panel.id && !this.acting.has(fact.id)) this.panel.reload();
    super.hear(fact);
  }

  async pickKey(files) {
    try { signer = await readSigner(files); notify(t("key.ready")); } catch { signer = null; notify(t("key.wrong"), true); }
    this.drawKey();
  }

  drawKey() { this.keyButton.replaceChildren(`${signer ? "✓ " : ""}${t(signer ? "key.ready" : "key.choose")}`); }

  elements() {
    return [
      h("div", { class: "bar" }, h("h1", {}, t("tab.violations")), this.filter, purposeChip(this.view, this.queueName),
        h("span", { class: "grow" }), this.keyButton, this.keyPicker,
        h("button", { onclick: () => this.view.guard(() => this.queue.reload()) }, t("refresh"))),
      h("div", { class: "soft small order" }, t("queue.order"), h("span", { class: "grow" }), this.view.keysHint()),
      h("div", { class: "split" }, this.queue.element, this.panel.element),
    ];
  }
}

const isConflict = (fact) => fact?.subject === "violations.v1.conflict_found";
const plain = (value) => typeof value === "string" ? value : JSON.stringify(value);

// What would be signed and is not what is shown: nothing was signed.
function differences(error) {
  return h("div", { class: "differs", role: "alert" }, h("b", {}, t("differs")),
    h("table", {}, h("thead", {}, h("tr", {}, ["field", "shown", "to.sign"].map((name) => h("th", {}, t(name))))),
      h("tbody", {}, error.differences.map(({ field, shown, signed: said }) => h("tr", {},
        h("td", {}, fieldName(field)), h("td", {}, written(plain(shown))), h("td", {}, written(plain(said))))))));
}
