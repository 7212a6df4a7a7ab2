// The report desk: the most urgent deadline first, and emergencies above all filters.

import { currentSession, get, post, Refused } from "./api.js";
import { askFor } from "./dialog.js";
import { emergencies } from "./emergencies.js";
import { h, notify } from "./dom.js";
import { keyHint } from "./keys.js";
import { purposeChip, purposeOf, requirePurpose } from "./purpose.js";
import { CasePanel, Queue } from "./queue.js";
import { about, drawRow, heading, headline, isCalling, pictures, steps } from "./report.js";
import { t } from "./texts.js";

const QUEUE = "reports";
const STATES = ["registered", "routed", "in_work", "waits_for_reporter", "disputed", "answered", "closed"];
const CATEGORIES = ["road_accident", "traffic_violation", "domestic_violence", "incident", "incident_with_child", "other"];
// What each action is called here, its key, and what it asks; which of them are offered the API says.
const ACTIONS = {
  take: { key: "KeyT", kind: "main" },
  answer: { key: "KeyA", fields: () => [{ name: "answer", label: t("answer"), long: true }] },
  ask: { key: "KeyQ", fields: () => [{ name: "question", label: t("question"), long: true }] },
  route: { key: "KeyD", fields: () => [{ name: "unit", label: t("unit") }, { name: "reason", label: t("reason"), max: 500 }] },
  accept_traffic_evidence: { key: "KeyE", path: "accept-traffic-evidence", fields: () => [
    { name: "plate", label: t("plate"), max: 16 }, { name: "offence_code", label: t("offence"), value: "RED_LIGHT", max: 40 }] },
};

export async function reportsView(view) {
  const acting = new Set();
  const wanted = { status: "", category: "", overdue: false };
  const panel = new CasePanel({
    view, draw, idOf: (whole) => whole.report.report_id, versionOf: (whole) => whole.report.version,
    allow: () => requirePurpose(QUEUE),
    load: async (id, signal) => (await get(`/v1/reports/${id}`, { purpose: purposeOf(QUEUE), signal })).report,
  });
  const queue = new Queue({
    view, panel, label: t("tab.reports"), idOf: (row) => row.report?.report_id, headline, drawRow, fetchPage,
    empty: () => t("reports.empty"), pinned: () => emergencies.rows.filter(isCalling),
  });

  async function fetchPage(token, signal) {
    const query = new URLSearchParams({ page_size: 50, page_token: token, overdue_only: wanted.overdue });
    for (const name of ["status", "category"]) if (wanted[name]) query.set(name, wanted[name]);
    const page = await get(`/v1/reports?${query}`, { purpose: purposeOf(QUEUE), signal });
    return { rows: page.reports, next: page.next_page_token };
  }

  function draw(shownIn, whole) {
    const options = { purpose: purposeOf(QUEUE), signal: shownIn.signal };
    const bar = h("div", { class: "decide" });
    drawButtons(bar, whole);
    return [heading(whole), about(whole), ...pictures(whole, options), steps(whole), bar];
  }

  function drawButtons(bar, whole) {
    const offered = Object.keys(ACTIONS).filter((action) => whole.actions.includes(action));
    bar.hidden = !offered.length;
    bar.replaceChildren(...offered.map((action) => h("button", {
      class: ACTIONS[action].kind ?? "", disabled: acting.has(whole.report.report_id), "data-action": action,
      onclick: () => act(action),
    }, t(`action.${action}`), " ", keyHint(ACTIONS[action].key))));
  }

  async function act(action) {
    const bound = panel.shown();
    if (!bound) { notify(t(panel.id ? "case.loading" : "pick"), true); return; }
    if (acting.has(bound.id)) return;
    if (!bound.data.actions.includes(action)) { notify(t("action.closed"), true); return; }
    const { fields, path = action } = ACTIONS[action];
    const run = (body = {}) => carryOut(bound, path, body);
    if (!fields) { await run().catch((error) => view.failed(error)); return; }
    await askFor({
      key: `${currentSession().operator}:${bound.id}:${action}`, caseId: bound.id, title: t(`action.${action}`),
      about: `${headline(bound.data)} · ${bound.data.report.receipt?.number ?? ""}`,
      fields: fields(), send: t("send"), submit: run,
    });
  }

  async function carryOut({ id, version }, path, body) {
    acting.add(id);
    redrawButtons(id);
    try {
      const purpose = await requirePurpose(QUEUE);
      if (!purpose) throw new Refused(0, { title: t("purpose.needed"), reason: "PURPOSE_REQUIRED" });
      const { report } = await post(`/v1/reports/${id}/${path}`, { ...body, version }, purpose);
      notify(`${t("done")}: ${report.report.receipt?.number ?? ""}`);
      queue.put(report);
      panel.show(report);
      emergencies.look();
      refresh();
    } catch (error) {
      if (error.outdates && panel.id === id) panel.reload();
      if (error.outdates) refresh();
      throw error;
    } finally {
      acting.delete(id);
      redrawButtons(id);
    }
  }

  function redrawButtons(id) {
    const shown = panel.shown(), bar = panel.element.querySelector(".decide");
    if (shown?.id === id && bar) drawButtons(bar, shown.data);
  }

  const choose = (name, label, options) => h("select", { "aria-label": label, onchange: (event) => {
    wanted[name] = event.target.value;
    view.guard(() => queue.restart());
  } }, h("option", { value: "" }, label), options);
  const filter = choose("status", t("all.open"), STATES.map((name) => h("option", { value: name }, t(`state.${name}`))));
  const overdue = h("label", { class: "small" }, h("input", { type: "checkbox", onchange: (event) => {
    wanted.overdue = event.target.checked;
    view.guard(() => queue.restart());
  } }), " ", t("overdue.only"));
  const refresh = view.oneAtATime(() => queue.reload());

  view.keys = {
    KeyJ: { label: t("key.next"), run: () => queue.move(1), held: true },
    KeyK: { label: t("key.previous"), run: () => queue.move(-1), held: true },
    ...Object.fromEntries(Object.entries(ACTIONS).map(([action, { key }]) =>
      [key, { label: t(`action.${action}`), run: () => act(action) }])),
    Slash: { label: t("key.filter"), run: () => filter.focus() },
  };
  view.follow("reports.v1.", (fact) => {
    const shown = panel.shown();
    if (fact && fact.id === shown?.id && fact.version > shown.version && !acting.has(fact.id)) panel.reload();
    refresh();
  });
  view.onleave(emergencies.subscribe(() => queue.draw()));
  view.every(30_000, () => queue.draw());
  await queue.restart();
  return [
    h("div", { class: "bar" }, h("h1", {}, t("tab.reports")), filter,
      choose("category", t("all.categories"), CATEGORIES.map((name) => h("option", { value: name }, t(`category.${name}`)))),
      overdue, purposeChip(view, QUEUE), h("span", { class: "grow" }),
      h("button", { onclick: () => view.guard(() => queue.reload()) }, t("refresh"))),
    h("div", { class: "soft small order" }, t("reports.order"), h("span", { class: "grow" }), view.keysHint()),
    h("div", { class: "split" }, queue.element, panel.element),
  ];
}
