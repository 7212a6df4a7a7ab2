// How one report is shown, and how loud its deadline is.

import { currentSession } from "./api.js";
import { waitingTag, waitingText } from "./answers.js";
import { choiceName } from "./choices.js";
import { facts, h, visible, written } from "./dom.js";
import { count, moment, span } from "./formats.js";
import { meshNow } from "./notices.js";
import { code, t } from "./texts.js";

const SOON = 0.25, NOW = 0.1, HOUR = 3_600_000;
// Nobody is under way to these yet.
const UNATTENDED = new Set(["registered", "routed", "disputed"]);

// By what is left until the deadline as it is now, and never quiet in its last hours.
export function urgency({ due_at: dueAt, report }, now = meshNow()) {
  if (!dueAt) return { level: "calm", left: null };
  const due = Date.parse(dueAt), left = due - now;
  const whole = due - Date.parse(report?.receipt?.registered_at ?? dueAt);
  if (left <= 0) return { level: "over", left };
  if (left < whole * NOW || left < HOUR) return { level: "now", left };
  if (left < whole * SOON || left < 24 * HOUR) return { level: "soon", left };
  return { level: "calm", left };
}

// An emergency that somebody must do something about now.
export const isCalling = (row) => row.emergency && (row.overdue || UNATTENDED.has(row.report?.status));

export function dueTag(row) {
  const { level, left } = urgency(row);
  if (left === null) return row.report?.status === "waits_for_reporter" ? h("span", { class: "tag" }, t("due.stands")) : null;
  const kind = { calm: "", soon: "warn", now: "bad", over: "bad shout" }[level];
  return h("span", { class: `tag ${kind}` }, `${t(level === "over" ? "due.over" : "due.in")} ${span(left)}`);
}

// Its place lies abroad, or the phone did not know it: somebody must find out where it happened.
const abroadTag = () => h("span", { class: "tag warn" }, t("place.abroad"));

// Somebody who cannot speak or write calls for help: there are no words, by design.
const silentTag = (row) => row.silent_alarm ? h("span", { class: "tag bad" }, t("silent")) : null;

// The reporter's words say, or an operator has decided, that somebody may be in danger.
const urgencyTag = ({ urgency: judged }) => judged && judged !== "declined"
  ? h("span", { class: "tag bad", "data-urgency": judged }, t(`urgency.${judged}`)) : null;

// Each danger with the words that mean it.
const dangers = (row) => (row.urgency_reasons ?? []).map(({ danger, words }) =>
  h("span", { class: "tag warn", "data-danger": danger }, code("danger", danger), ": ", written(words)));

export const headline = (row) => t(`category.${row.report?.category ?? "other"}`);
const isMine = ({ operator }) => operator && operator === currentSession()?.operator;

export function drawRow(row) {
  const { report, place, unit } = row;
  const loud = { soon: "due-soon", now: "due-now", over: "due-now", calm: "" }[urgency(row).level];
  return { kind: loud, content: [
    h("div", { class: "top" }, h("b", {}, headline(row)), dueTag(row)),
    h("div", { class: "small soft" },
      [report?.receipt?.number ?? report?.report_id, t(`state.${report?.status}`), place?.region].filter(Boolean).join(" · ")),
    report?.place_abroad ? h("div", {}, abroadTag()) : null,
    row.silent_alarm ? h("div", {}, silentTag(row)) : null,
    row.waiting_answer ? h("div", {}, waitingTag(row)) : null,
    row.urgency === "proposed" || row.urgency === "confirmed" ? h("div", {}, urgencyTag(row), " ", dangers(row)) : null,
    h("div", { class: "small soft" }, [unit, isMine(row) ? t("held.mine") : row.operator && `${t("held.by")}: ${row.operator}`].filter(Boolean).join(" · ")),
  ] };
}

export function heading(whole) {
  const { report, emergency } = whole;
  return h("div", { class: "bar" }, h("h2", { class: "title" }, headline(whole)),
    h("span", { class: "tag" }, t(`state.${report.status}`)),
    emergency && !urgencyTag(whole) ? h("span", { class: "tag bad" }, t("emergency")) : null, urgencyTag(whole), silentTag(whole),
    whole.position ? h("span", { class: "tag bad" }, choiceName("positions", whole.position)) : null,
    report.place_abroad ? abroadTag() : null, waitingTag(whole), dueTag(whole));
}

export function about(whole) {
  const { report, place, text, reporter, unit, occurred_at: occurredAt, story, partner } = whole;
  return h("div", {},
    facts([
      [t("number"), h("span", { class: "mono" }, report.receipt?.number ?? "")],
      [t("due.response"), whole.response_due_at ? moment(whole.response_due_at) : ""],
      [t("arrived"), whole.arrived_at ? moment(whole.arrived_at) : ""],
      [t("due.answer"), whole.answer_due_at ? moment(whole.answer_due_at) : report.status === "waits_for_reporter" ? t("due.stands") : "—"],
      [t("due.receipt"), moved(whole) ? moment(report.receipt?.due_at) : ""],
      [t("extended"), report.extended_at ? moment(report.extended_at) : ""],
      [t("position.now"), whole.position ? choiceName("positions", whole.position) : ""],
      [t("unit"), unit],
      [t("held.by"), isMine(whole) ? t("held.mine") : whole.operator || t("held.nobody")],
      [t("when"), moment(occurredAt)],
      [t("where"), written([place?.region, place?.address].filter(Boolean).join(", "))],
      [t("reporter"), written([reporter?.name, reporter?.phone].filter(Boolean).join(", ") || t("anonymous"))],
      [t("source"), partner],
      [t("closing_outcome"), whole.closing_outcome ? choiceName("outcomes", whole.closing_outcome) : ""],
      [t("outcome"), report.outcome ? code("outcome", report.outcome) : ""],
      [t("plates.proposed"), proposedPlates(whole)],
      [t("accepted"), whole.accepted_plate ? `${visible(whole.accepted_plate)} · ${code("offence", whole.accepted_offence_code)}` : ""],
      [t("assumed_years"), (report.receipt?.assumed_years ?? []).join(", ")],
      [t("story"), story && h("span", { class: "mono" }, story)],
    ]),
    judging(whole), related(whole),
    h("h3", {}, t("text")), h("p", { class: "written", dir: "auto" }, visible(text) || (whole.silent_alarm ? t("silent.text") : "—")),
    report.question ? h("p", { class: "hold" }, `${t("ask")}: `, written(report.question)) : null,
    waitingText(whole),
    report.answer ? h("p", {}, h("b", {}, `${t("answer")}: `), written(report.answer)) : null);
}

// Why it may be urgent, and whether somebody has judged that.
const judging = (whole) => whole.urgency_reasons?.length || whole.urgency === "declined" ? h("section", { "data-judging": "" },
  h("h3", {}, t("urgency.words")), h("p", { class: "bar" }, dangers(whole),
    whole.urgency === "declined" ? h("span", { class: "tag" }, t("urgency.declined")) : null)) : null;

// What a model read in the photographs: the operator looks, and says which plate it is.
const proposedPlates = ({ proposed_plates: all }) => all?.length ? h("span", { "data-plates": "" },
  all.map(({ text, confidence }) => `${visible(text)} (${Math.floor(confidence * 100)} %)`).join(", ")) : "";

// Reports of the same incident: merged with this one, or perhaps to be.
const related = ({ related: others }) => others?.length ? h("section", { "data-related": "" },
  h("h3", {}, t("related")), h("ul", { class: "small" }, others.map(({ number, relation, alike_percent: alike }) =>
    h("li", {}, h("span", { class: "mono" }, number), ` · ${t(`related.${relation}`)}`,
      alike ? ` · ${t("related.alike").replace("{}", alike)}` : "")))) : null;

const moved = ({ answer_due_at: dueAt, report }) => dueAt && report.receipt?.due_at
  && Date.parse(dueAt) !== Date.parse(report.receipt.due_at);

// Which cameras may have seen it, and what of their evidence is held.
export const cameras = ({ cameras: all }) => all?.length ? h("section", { "data-cameras": "" }, h("h3", {}, t("cameras.seen")),
  h("ul", { class: "small" }, all.map((camera) => h("li", {},
    h("span", {}, visible(camera.name) || camera.camera_id),
    ` · ${count(Math.round(camera.distance_metres))} ${t("metres")} · ${t(camera.is_certain ? "cameras.certain" : "cameras.perhaps")} · `,
    camera.held_at ? `${t("cameras.held")} ${moment(camera.held_from)} – ${moment(camera.held_until)}: ${count(camera.frames)}` : t("cameras.not held"))))) : null;

export function steps({ steps: all }) {
  return h("section", {}, h("h3", {}, t("steps")), h("ol", { class: "small" }, all.map((step) =>
    h("li", {}, `${moment(step.at)} · ${t(`state.${step.status}`)} · ${code("actor", step.actor)} `, written(noteText(step.note))))));
}

// What the service notes by itself is said in the operator's language; what people wrote stays as it is.
function noteText(note) {
  // Until there were two clocks, without one and with a position in words.
  const before = note.match(/^overdue, step (\d+): (.+)$/);
  if (before) return `${t("note.overdue")} ${before[1]}: ${code("ladder", before[2])}`;
  const overdue = note.match(/^overdue, (\w+), step (\d+): (\w+)$/);
  if (overdue) return `${t("note.overdue")} ${overdue[2]} (${code("clock", overdue[1])}): ${choiceName("positions", overdue[3])}`;
  const soon = note.match(/^due soon, (\w+)$/);
  if (soon) return `${t("note.due_soon")} ${code("clock", soon[1])}`;
  if (["urgent", "merged", "unmerged"].includes(note)) return t(`note.${note}`);
  const calm = note.match(/^not urgent: (.+)$/s);
  if (calm) return `${t("note.not urgent")} ${calm[1]}`;
  const waits = note.match(/^answer waits, (\w+)$/);
  if (waits) return `${t("note.answer waits")} ${choiceName("outcomes", waits[1])}`;
  if (note === "answer undone") return t("note.answer undone");
  if (note.startsWith("answer not sent: ")) return t("note.answer not sent");
  const noted = note.match(/^(reminder|arrived|region|unmerged:) (\S.*)$/);
  if (noted) return `${t(`note.${noted[1]}`)} ${noted[1] === "arrived" ? moment(noted[2]) : noted[2]}`;
  if (note === "no reply" || note === "date set") return t(`note.${note}`);
  // Older steps name the other report, which may be hidden by now.
  return /^possible duplicate\b/.test(note) ? t("note.duplicate") : code("outcome", note);
}
