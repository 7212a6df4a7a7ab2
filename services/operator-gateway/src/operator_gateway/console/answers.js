// Answers from templates: chosen with a preview, given to one report or to many, undone while they wait.

import { currentSession, get, newId, post, Refused } from "./api.js";
import { choiceName } from "./choices.js";
import { askFor, tellIn } from "./dialog.js";
import { h, notify, written } from "./dom.js";
import { clock } from "./formats.js";
import { meshNow } from "./notices.js";
import { requirePurpose } from "./purpose.js";
import { language, refusalText, t } from "./texts.js";

const MANY_MAX = 50, SECOND = 1000;
// Others are answered one by one: their owner refuses them.
const IN_BULK = new Set(["road_accident", "traffic_violation", "incident", "other"]);

const isMine = (waiting) => waiting?.operator === currentSession()?.operator;

// What may be done about answers from templates beside what the owner of the report offers.
export function answerActions({ actions, waiting_answer: waiting }) {
  if (waiting) return isMine(waiting) ? ["undo_answer"] : [];
  return actions.includes("answer") ? ["answer_from_template"] : [];
}

export const waitingTag = ({ waiting_answer: waiting }) => waiting
  ? h("span", { class: "tag warn", "data-waiting": "" }, `${t("answer.waits")} ${clock(waiting.leaves_at)}`) : null;

export const waitingText = ({ waiting_answer: waiting }) => waiting ? h("section", { "data-waiting-answer": "" },
  h("p", { class: "hold" }, `${t("answer.waits")} ${clock(waiting.leaves_at)} · ${waiting.operator}: `, written(waiting.answer))) : null;

// Of the templates as they were listed last: what changed since is refused.
let versions = new Map();

async function templatesFor(category) {
  const found = [];
  for (let token = ""; ;) {
    const query = new URLSearchParams({ page_size: 200, page_token: token });
    if (category) query.set("category", category);
    const page = await get(`/v1/answer-templates?${query}`);
    found.push(...page.templates);
    token = page.next_page_token;
    if (!token) break;
  }
  if (!found.length) throw new Refused(0, { title: t("templates.none"), reason: "TEMPLATE_NOT_FOUND" });
  versions = new Map(found.map(({ template, version }) => [template, version]));
  return found;
}

const labelOf = ({ template, outcome, texts }) => `${choiceName("outcomes", outcome)} · ${template} · ${texts[language()].slice(0, 60)}`;
const optionsOf = (templates) => [{ value: "", label: t("choose") },
  ...templates.map((one) => ({ value: one.template, label: labelOf(one) }))];

// The question for a template, with what the reporter of `report` would read.
export async function templateFields({ report }, purpose) {
  const templates = await templatesFor(report.category);
  return [templateField(templates, async (template) => (await post(
    `/v1/reports/${report.report_id}/preview-answer`, { template }, purpose)).answer)];
}

const templateField = (templates, preview) =>
  ({ name: "template", label: t("template"), options: optionsOf(templates), preview });

// The same request again has the same id, so that an answer that was lost is not given twice.
const sent = { content: "", id: "" };
function requestIdFor(content) {
  const text = JSON.stringify(content);
  if (sent.content !== text) Object.assign(sent, { content: text, id: newId() });
  return sent.id;
}

export async function giveAnswer(id, version, { template }, purpose) {
  if (!template) throw new Refused(0, { title: t("template.choose"), reason: "BAD_REQUEST" });
  const content = { template, template_version: versions.get(template), version };
  const path = `/v1/reports/${id}/answer-from-template`;
  return (await post(path, { request_id: requestIdFor({ id, ...content }), ...content }, purpose)).report;
}

export const undoAnswer = (requestId) => post(`/v1/answers/${requestId}/undo`, undefined);

// The rows that this operator can answer at once.
export const answerable = (rows) => rows.filter((row) => row.operator === currentSession()?.operator
  && IN_BULK.has(row.report.category) && answerActions(row).includes("answer_from_template")).slice(0, MANY_MAX);

// Asks which of `rows` are answered and from which template; resolves to the results, or null.
export async function answerMany(rows, queueName) {
  const open = answerable(rows);
  if (!open.length) { notify(t("many.none"), true); return null; }
  const templates = await templatesFor("");
  const nameOf = ({ report }) => `${report.receipt?.number ?? report.report_id} · ${t(`category.${report.category}`)}`;
  let results = null;
  await askFor({
    key: `${currentSession().operator}:many`, caseId: "", title: t("many.title"), about: t("many.about"), send: t("send"),
    fields: [
      templateField(templates, (template) => templates.find((one) => one.template === template).texts[language()]),
      { name: "reports", label: t("many.reports"), many: open.map((row) => ({ value: row.report.report_id, label: nameOf(row) })) },
    ],
    submit: async ({ template, reports: chosen }) => {
      const ids = new Set(chosen.split(" ").filter(Boolean));
      if (!template || !ids.size) throw new Refused(0, { title: t("many.choose"), reason: "BAD_REQUEST" });
      const purpose = await requirePurpose(queueName);
      if (!purpose) throw new Refused(0, { title: t("purpose.needed"), reason: "PURPOSE_REQUIRED" });
      const shown = open.map(({ report }) => report).filter(({ report_id: id }) => ids.has(id));
      const content = { template, template_version: versions.get(template), reports: shown.map(({ report_id: id, version }) => ({ report_id: id, version })) };
      const requestId = requestIdFor(content);
      results = { requestId, all: (await post("/v1/answers", { request_id: requestId, ...content }, purpose)).results };
    },
  });
  if (results) tellRefused(results.all, new Map(open.map((row) => [row.report.report_id, nameOf(row)])));
  return results;
}

function tellRefused(results, names) {
  const refused = results.filter(({ reason }) => reason);
  if (!refused.length) return;
  tellIn(`${t("many.refused")}: ${refused.length}`, h("ul", { "data-refused": "" }, refused.map(({ report_id: id, message }) =>
    h("li", {}, `${names.get(id)}: ${message[language()]}`))));
}

// Above the list while answers wait: how many, for how long, and the button that undoes them.
export class UndoBar {
  constructor({ view, undone }) {
    Object.assign(this, { view, undone, waiting: null });
    this.element = h("div", { class: "notes", role: "status", "data-undo-bar": "" });
    view.every(SECOND, () => this.draw());
  }

  // `results` are those of a request; what was refused does not wait.
  show(requestId, results) {
    const waiting = results.filter(({ state }) => state === "waiting");
    if (!waiting.length) return;
    const leavesAt = Math.min(...waiting.map(({ leaves_at: at }) => Date.parse(at)));
    this.waiting = { requestId, leavesAt, count: waiting.length };
    this.draw();
  }

  hide() {
    this.waiting = null;
    this.draw();
  }

  draw() {
    const left = this.waiting ? this.waiting.leavesAt - meshNow() : 0;
    if (left <= 0) { this.waiting = null; this.element.replaceChildren(); return; }
    const seconds = Math.ceil(left / SECOND);
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    const text = `${t("undo.waiting")}: ${this.waiting.count} · ${t("undo.left")} ${time}`;
    if (!this.element.children.length) this.element.replaceChildren(h("p", { class: "hold" }, h("span", {}), " ",
      h("button", { type: "button", "data-undo": "", onclick: () => this.undo() }, t("action.undo_answer"))));
    this.element.querySelector("span").textContent = text;
  }

  async undo() {
    const { waiting } = this;
    const button = this.element.querySelector("button");
    button.disabled = true;
    try {
      const { results } = await undoAnswer(waiting.requestId);
      if (this.waiting === waiting) this.hide();
      tellUndone(results);
      this.undone();
    } catch (error) {
      notify(refusalText(error), true);
      button.disabled = false;
    }
  }
}

// Says how many were undone, and how many had left already.
export function tellUndone(results) {
  const undone = results.filter(({ state }) => state === "undone").length;
  notify(`${t("undo.done")}: ${undone} / ${results.length}`, undone < results.length);
}
