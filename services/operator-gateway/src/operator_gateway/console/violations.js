// The review queue, by keyboard alone. A decision is of the case on the screen, in the version shown,
// and is signed only where the bytes to sign say what the screen says.

import { currentSession, get, newId, post, Refused } from "./api.js";
import { checked, Differs } from "./canonical.js";
import { askFor } from "./dialog.js";
import { h, notify, written } from "./dom.js";
import { moment } from "./formats.js";
import { keyHint } from "./keys.js";
import { purposeChip, purposeOf, requirePurpose } from "./purpose.js";
import { CasePanel, Queue } from "./queue.js";
import { readSigner, signed } from "./signing.js";
import { code, fieldName, t } from "./texts.js";
import { about, conflicts, decidedBy, heading, headline, showEvidence, signedToo, warnings } from "./violation.js";

const QUEUE = "violations";
const STATES = ["review", "confirmed", "rejected", "annulled"];
const DECISIONS = {
  confirm: { key: "KeyC", kind: "main", done: "confirmed" },
  reject: { key: "KeyR", kind: "danger", done: "rejected", asks: true },
  annul: { key: "KeyX", kind: "danger", done: "annulled", asks: true },
};
let signer = null;
export const forgetSigner = () => { signer = null; };

export async function violationsView(view) {
  const deciding = new Set();
  // Violations whose every picture stands on the screen and is the one of its hash.
  const verified = new WeakSet();
  let wanted = "review", paused = "", evidence = { id: "", loaded: new Map() };
  // Confirmed ones that a new violation contradicts, since this page was opened.
  const contradicted = new Set();

  const panel = new CasePanel({
    view, draw, idOf: (violation) => violation.violation_id, versionOf: (violation) => violation.version,
    allow: () => requirePurpose(QUEUE),
    load: async (id, signal) => (await get(`/v1/violations/${id}`, { purpose: purposeOf(QUEUE), signal })).violation,
  });
  const queue = new Queue({
    view, panel, label: t("tab.violations"), idOf: (row) => row.violation_id, headline, drawRow, fetchPage,
    empty: () => t(wanted === "review" ? "queue.empty" : "queue.none"),
  });

  async function fetchPage(token, signal) {
    const query = new URLSearchParams({ state: wanted, page_size: 50, page_token: token });
    const page = await get(`/v1/violations?${query}`, { purpose: purposeOf(QUEUE), signal });
    paused = page.paused_since ? `${t("queue.paused")} ${moment(page.paused_since)} · ${page.held_reads}` : "";
    drawNotes();
    return { rows: page.violations, next: page.next_page_token };
  }

  function drawNotes() {
    queue.notes.replaceChildren(...(paused ? [h("p", { class: "hold" }, paused)] : []), ...[...contradicted].map((id) =>
      h("p", { class: "hold" }, t("conflict.found"), " ", h("button", { onclick: () => {
        contradicted.delete(id);
        drawNotes();
        panel.open(id);
      } }, t("open")))));
  }

  function drawRow(row) {
    return { content: [
      h("div", { class: "top" }, h("strong", {}, headline(row)), h("span", { class: "tag" }, row.offence?.article || "")),
      h("div", { class: "small soft" }, `${moment(row.occurred_at)} · ${row.place?.region ?? ""}`),
      row.hold_reason ? h("span", { class: "tag warn" }, code("hold", row.hold_reason)) : null,
      row.caution ? h("span", { class: "tag warn" }, code("caution", row.caution)) : null,
    ] };
  }

  function draw(shownIn, violation) {
    if (evidence.id !== violation.violation_id) evidence = { id: violation.violation_id, loaded: new Map() };
    const place = h("div", { class: "evidence alone" }), bar = h("div", { class: "decide" });
    const options = { purpose: purposeOf(QUEUE), signal: shownIn.signal };
    const load = async () => {
      drawButtons(bar, violation);
      const there = await showEvidence(place, violation, { ...options, loaded: evidence.loaded, again: load });
      if (there) verified.add(violation);
      if (panel.data === violation && !panel.outdated) drawButtons(bar, violation);
    };
    load();
    return [heading(violation), decidedBy(violation), ...warnings(violation), place, about(violation),
      conflicts(violation, { ...options, open: (other) => panel.open(other.violation_id, { headline: headline(other) }) }),
      signedToo(violation), bar].filter(Boolean);
  }

  const isReady = (violation, verdict) => verdict === "annul"
    || (verified.has(violation) && (verdict !== "confirm" || violation.evidence_sha256.length > 0));

  function drawButtons(place, violation) {
    const offered = Object.keys(DECISIONS).filter((verdict) => violation.actions.includes(verdict));
    const waits = offered.some((verdict) => !isReady(violation, verdict));
    place.hidden = !offered.length;
    place.replaceChildren(...offered.map((verdict) => h("button", {
      class: DECISIONS[verdict].kind, disabled: !isReady(violation, verdict) || deciding.has(violation.violation_id),
      "data-action": verdict, onclick: () => decide(verdict),
    }, t(verdict), " ", keyHint(DECISIONS[verdict].key))),
    h("span", { class: "soft small" }, t(waits ? "evidence.first" : "key.stays")));
  }

  async function decide(verdict) {
    const bound = panel.shown(), violation = bound?.data;
    if (!bound) { notify(t(panel.id ? "case.loading" : "pick"), true); return; }
    if (deciding.has(bound.id)) return;
    if (!violation.actions.includes(verdict)) { notify(t("action.closed"), true); return; }
    if (!isReady(violation, verdict)) { notify(t("evidence.first"), true); return; }
    if (!signer && verdict !== "annul") { notify(t("key.needed"), true); keyButton.focus(); return; }
    const run = ({ reason = "" } = {}) => carryOut(bound, verdict, reason);
    if (!DECISIONS[verdict].asks) { await run().catch((error) => failed(bound, error)); return; }
    await askFor({
      key: `${currentSession().operator}:${bound.id}:${verdict}`, caseId: bound.id, title: t(verdict),
      about: `${violation.plate?.text ?? ""} · ${headline(violation)} · ${moment(violation.occurred_at)}`,
      fields: [{ name: "reason", label: t("reason"), long: true, max: 500 }], send: t(verdict), submit: run,
    });
  }

  async function carryOut(bound, verdict, reason) {
    deciding.add(bound.id);
    redrawButtons(bound.id);
    try {
      const purpose = await requirePurpose(QUEUE);
      if (!purpose) throw new Refused(0, { title: t("purpose.needed"), reason: "PURPOSE_REQUIRED" });
      const violation = await (verdict === "annul" ? annul : sign)(bound, verdict, reason, purpose);
      notify(`${t(DECISIONS[verdict].done)}: ${headline(violation)}`);
      queue.put(violation, violation.state !== wanted);
      panel.show(violation);
    } catch (error) {
      if (error.outdates && panel.id === bound.id) panel.reload();
      if (error.outdates) refresh();
      throw error;
    } finally {
      deciding.delete(bound.id);
      redrawButtons(bound.id);
    }
  }

  async function sign({ id, version, data }, verdict, reason, purpose) {
    const { canonical } = await post(`/v1/violations/${id}/decision/prepare`, { verdict, reason, version }, purpose);
    const bytes = checked(canonical, data, { verdict, reason, officer: currentSession().operator });
    const body = await signed(signer, bytes, newId());
    return (await post(`/v1/violations/${id}/${verdict}`, body, purpose)).violation;
  }

  const annul = async ({ id, version }, verdict, reason, purpose) =>
    (await post(`/v1/violations/${id}/annul`, { decision_id: newId(), reason, version }, purpose)).violation;

  function failed(bound, error) {
    if (error instanceof Differs && panel.id === bound.id) {
      panel.element.querySelector(".differs")?.remove();
      const table = differences(error);
      panel.element.querySelector(".bar").after(table);
      table.scrollIntoView({ block: "nearest" });
    } else view.failed(error);
  }

  function redrawButtons(id) {
    const shown = panel.shown(), place = panel.element.querySelector(".decide");
    if (shown?.id === id && place) drawButtons(place, shown.data);
  }

  const keyPicker = h("input", {
    type: "file", multiple: true, hidden: true, accept: ".pem,.key",
    onchange: async (event) => {
      try { signer = await readSigner(event.target.files); notify(t("key.ready")); }
      catch { signer = null; notify(t("key.wrong"), true); }
      drawKey();
    },
  });
  const keyButton = h("button", { title: t("key.stays"), onclick: () => keyPicker.click() });
  const drawKey = () => keyButton.replaceChildren(`${signer ? "✓ " : ""}${t(signer ? "key.ready" : "key.choose")}`);
  const filter = h("select", { "aria-label": t("status"), onchange: (event) => {
    wanted = event.target.value;
    view.guard(() => queue.restart());
  } }, STATES.map((name) => h("option", { value: name }, t(`state.${name}`))));
  const refresh = view.oneAtATime(() => queue.reload());

  view.keys = {
    KeyJ: { label: t("key.next"), run: () => queue.move(1), held: true },
    KeyK: { label: t("key.previous"), run: () => queue.move(-1), held: true },
    ...Object.fromEntries(Object.entries(DECISIONS).map(([verdict, { key }]) =>
      [key, { label: t(verdict), run: () => decide(verdict) }])),
    Slash: { label: t("key.filter"), run: () => filter.focus() },
  };
  view.follow("violations.v1.", (fact) => {
    const shown = panel.shown(), conflict = fact?.subject === "violations.v1.conflict_found";
    if (conflict) { contradicted.add(fact.id); drawNotes(); }
    const isNews = fact && fact.id === shown?.id && (conflict || fact.version > shown.version);
    if (isNews && !deciding.has(fact.id)) panel.reload();
    refresh();
  });
  drawKey();
  await queue.restart();
  return [
    h("div", { class: "bar" }, h("h1", {}, t("tab.violations")), filter, purposeChip(view, QUEUE),
      h("span", { class: "grow" }), keyButton, keyPicker,
      h("button", { onclick: () => view.guard(() => queue.reload()) }, t("refresh"))),
    h("div", { class: "soft small order" }, t("queue.order"), h("span", { class: "grow" }), view.keysHint()),
    h("div", { class: "split" }, queue.element, panel.element),
  ];
}

const plain = (value) => typeof value === "string" ? value : JSON.stringify(value);

// What would be signed and is not what is shown: nothing was signed.
function differences(error) {
  return h("div", { class: "differs", role: "alert" }, h("b", {}, t("differs")),
    h("table", {}, h("thead", {}, h("tr", {}, ["field", "shown", "to.sign"].map((name) => h("th", {}, t(name))))),
      h("tbody", {}, error.differences.map(({ field, shown, signed: said }) => h("tr", {},
        h("td", {}, fieldName(field)), h("td", {}, written(plain(shown))), h("td", {}, written(plain(said))))))));
}
