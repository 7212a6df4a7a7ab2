// The report desk: the most urgent deadline first, and emergencies above all filters.

import { answerActions, answerMany, giveAnswer, templateFields, tellUndone, undoAnswer, UndoBar } from "./answers.js";
import { get, post } from "./api.js";
import { showBoard } from "./board.js";
import { loadChoices, options } from "./choices.js";
import { Desk } from "./desk.js";
import { emergencies } from "./emergencies.js";
import { h, notify } from "./dom.js";
import { pictures } from "./photographs.js";
import { purposeChip, requirePurpose } from "./purpose.js";
import { about, cameras, drawRow, heading, headline, isCalling, steps } from "./report.js";
import { t } from "./texts.js";

const STATES = ["registered", "routed", "in_work", "waits_for_reporter", "disputed", "answered", "closed", "withdrawn"];
const CATEGORIES = ["road_accident", "traffic_violation", "domestic_violence", "incident", "incident_with_child", "other"];
// How secret reports of a category are kept; of others 0. A report is raised to a higher rank alone.
const SECRECY = { domestic_violence: 1, incident_with_child: 1, complaint_about_officer: 2 };
const REDRAW_MILLISECONDS = 30_000;
const ACTIONS = {
  take: { key: "KeyT", kind: "main", label: "action.take" },
  record_arrival: { key: "KeyP", kind: "main", label: "action.record_arrival", path: "record-arrival" },
  answer: { key: "KeyA", label: "action.answer", fields: ({ report }) => [{ name: "answer", label: t("answer"), long: true },
    { name: "outcome", label: t("closing_outcome"), options: options("outcomes", report.category) }] },
  answer_from_template: { key: "KeyM", label: "action.answer_from_template", fields: (whole, desk) => desk.templates(whole) },
  undo_answer: { key: "KeyZ", kind: "main", label: "action.undo_answer" },
  ask: { key: "KeyQ", label: "action.ask", fields: ({ report }) => [{ name: "question", label: t("question"), long: true },
    { name: "reason", label: t("question.reason"), options: options("question_reasons", report.category) }] },
  route: { key: "KeyD", label: "action.route", fields: () => [
    { name: "unit", label: t("unit") }, { name: "reason", label: t("reason"), max: 500 },
    { name: "region", label: t("region.other"), max: 6 }] },
  extend: { key: "KeyX", label: "action.extend", fields: () => [
    { name: "working_days", label: t("working_days"), max: 2 }, { name: "reason", label: t("reason"), max: 500 }] },
  raise: { key: "KeyR", label: "action.raise", fields: ({ report }) => [
    { name: "category", label: t("category"), options: moreSecret(report.category) }, { name: "reason", label: t("reason"), max: 500 }] },
  confirm_urgency: { key: "KeyU", kind: "main", label: "action.confirm_urgency", path: "confirm-urgency" },
  decline_urgency: { key: "KeyN", label: "action.decline_urgency", path: "decline-urgency", fields: () => [
    { name: "reason", label: t("urgency.why_not"), max: 500 }] },
  merge: { key: "KeyG", label: "action.merge", fields: (whole) => [
    { name: "parent_id", label: t("merge.parent"), options: possible(whole) }] },
  unmerge: { key: "KeyI", label: "action.unmerge", fields: () => [
    { name: "reason", label: t("unmerge.why"), max: 500 }] },
  accept_traffic_evidence: { key: "KeyE", label: "action.accept_traffic_evidence", path: "accept-traffic-evidence", fields: () => [
    { name: "plate", label: t("plate"), max: 16 }, { name: "offence_code", label: t("offence"), value: "RED_LIGHT", max: 40 }] },
};

export async function reportsView(view) {
  const desk = new ReportDesk(view);
  await Promise.all([desk.queue.restart(), loadChoices()]);
  return desk.elements();
}

class ReportDesk extends Desk {
  constructor(view) {
    super(view, { queueName: "reports", subjects: "reports.v1.", label: t("tab.reports"), actions: ACTIONS });
    this.wanted = { status: "", category: "", overdue: false, words: "" };
    this.filter = this.select("status", t("all.open"), choices(t("all.open"), "state", STATES));
    // What was found stays as it was asked for: every search is logged.
    const refresh = this.refresh;
    this.refresh = () => { if (!this.wanted.words) refresh(); };
    this.order = h("span");
    this.undoBar = new UndoBar({ view, undone: () => this.reread() });
    view.onleave(emergencies.subscribe(() => this.queue.draw()));
    view.every(REDRAW_MILLISECONDS, () => this.queue.draw());
  }

  idOf(whole) { return whole.report?.report_id; }
  versionOf(whole) { return whole.report.version; }
  actionsOf(whole) {
    const offered = whole.actions.filter((action) => action !== "merge" || hasPossible(whole));
    return [...offered, ...answerActions(whole)];
  }
  headline(whole) { return headline(whole); }
  nameOf(whole) { return `${headline(whole)} · ${whole.report.receipt?.number ?? ""}`; }
  drawRow(row) { return drawRow(row); }
  empty() { return t(this.wanted.words ? "search.none" : "reports.empty"); }
  pinned() { return this.wanted.words ? [] : emergencies.rows.filter(isCalling); }

  async load(id, signal) {
    return (await get(`/v1/reports/${id}`, { purpose: this.purpose, signal })).report;
  }

  async fetchPage(token, signal) {
    const { words } = this.wanted;
    this.order.textContent = t(words ? "search.hint" : "reports.order");
    if (words) {
      const found = await post("/v1/reports/search", { words, page_size: 50, page_token: token }, this.purpose, signal);
      return { rows: found.reports, next: found.next_page_token };
    }
    const query = new URLSearchParams({ page_size: 50, page_token: token, overdue_only: this.wanted.overdue });
    for (const name of ["status", "category"]) if (this.wanted[name]) query.set(name, this.wanted[name]);
    const page = await get(`/v1/reports?${query}`, { purpose: this.purpose, signal });
    return { rows: page.reports, next: page.next_page_token };
  }

  draw(whole, signal) {
    const bar = h("div", { class: "decide" });
    this.drawButtons(bar, whole);
    const files = pictures(whole, { purpose: this.purpose, signal, ask: () => requirePurpose(this.queueName) });
    return [heading(whole), about(whole), ...files, cameras(whole), steps(whole), bar].filter(Boolean);
  }

  async templates(whole) {
    return templateFields(whole, await requirePurpose(this.queueName));
  }

  async perform({ id, version, data }, action, values, purpose) {
    if (action === "answer_from_template") return giveAnswer(id, version, values, purpose);
    if (action === "undo_answer") {
      tellUndone((await undoAnswer(data.waiting_answer.request_id)).results);
      return this.load(id);
    }
    const { path = action } = ACTIONS[action];
    if (action === "extend") values = { ...values, working_days: Number.parseInt(values.working_days, 10) || 0 };
    return (await post(`/v1/reports/${id}/${path}`, { ...values, version }, purpose)).report;
  }

  // Raised to a category that this operator may not see.
  gone(_, { id }) {
    notify(t("raised.hidden"));
    this.queue.put({ report: { report_id: id } }, true);
    if (this.panel.id === id) this.panel.close();
    emergencies.look();
    this.refresh();
  }

  // Answers that wait were given or undone: what is shown is of before.
  reread() {
    if (this.panel.id) this.panel.reload();
    this.refresh();
  }

  async answerMany() {
    const given = await answerMany(this.queue.rows, this.queueName);
    if (!given) return;
    this.undoBar.show(given.requestId, given.all);
    this.reread();
  }

  done(action, whole) {
    const { waiting_answer: waiting } = whole;
    if (action === "answer_from_template" && waiting) {
      this.undoBar.show(waiting.request_id, [{ state: "waiting", leaves_at: waiting.leaves_at }]);
    }
    if (action === "undo_answer") this.undoBar.hide();
    else notify(`${t("done")}: ${whole.report.receipt?.number ?? ""}`);
    this.queue.put(whole, isMerged(whole));
    emergencies.look();
    this.refresh();
  }

  // Texts are what people wrote: seeking in them takes a purpose, and the words stand in no address.
  async search(words) {
    if (words && !await requirePurpose(this.queueName)) { notify(t("purpose.needed"), true); return; }
    this.wanted.words = words;
    await this.queue.restart();
  }

  elements() {
    const words = h("input", { type: "search", "aria-label": t("search.words"), placeholder: t("search.words"), maxlength: "200",
      onchange: (event) => this.view.guard(() => this.search(event.target.value.trim())) });
    const overdue = h("label", { class: "small" }, h("input", { type: "checkbox", onchange: (event) => {
      this.wanted.overdue = event.target.checked;
      this.view.guard(() => this.queue.restart());
    } }), " ", t("overdue.only"));
    return [
      h("div", { class: "bar" }, h("h1", {}, t("tab.reports")), this.filter,
        this.select("category", t("all.categories"), choices(t("all.categories"), "category", CATEGORIES)),
        overdue, words, purposeChip(this.view, this.queueName), h("span", { class: "grow" }),
        h("button", { "data-board": "", onclick: () => this.view.guard(showBoard) }, t("board")),
        h("button", { "data-many": "", onclick: () => this.view.guard(() => this.answerMany()) }, t("many")),
        h("button", { onclick: () => this.view.guard(() => this.queue.reload()) }, t("refresh"))),
      this.undoBar.element,
      h("div", { class: "soft small order" }, this.order, h("span", { class: "grow" }), this.view.keysHint()),
      h("div", { class: "split" }, this.queue.element, this.panel.element),
    ];
  }
}

const moreSecret = (category) => [{ value: "", label: t("choose") }, ...Object.keys(SECRECY)
  .filter((other) => SECRECY[other] > (SECRECY[category] ?? 0))
  .map((other) => ({ value: other, label: t(`category.${other}`) }))];

// What follows another report is in no queue.
const isMerged = ({ related }) => related?.some(({ relation }) => relation === "parent") ?? false;

// Without a possible duplicate there is nothing to merge with.
const hasPossible = ({ related }) => related?.some(({ relation }) => relation === "possible") ?? false;

// Reports that may be of the same incident, by their numbers.
const possible = ({ related }) => [{ value: "", label: t("choose") }, ...(related ?? [])
  .filter(({ relation }) => relation === "possible")
  .map(({ report_id: value, number: label }) => ({ value, label }))];

const choices = (all, group, names) => [
  h("option", { value: "" }, all), ...names.map((name) => h("option", { value: name }, t(`${group}.${name}`)))];
