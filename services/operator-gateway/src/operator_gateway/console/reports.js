// The report desk: the most urgent first, and deadlines that shout before they pass.

import { blob, get, post } from "./api.js";
import { ask, facts, h, notify, state } from "./dom.js";
import { moment, span, t } from "./texts.js";

const PURPOSE = "report-desk";
const WAITING = new Set(["answered", "closed", "waits_for_reporter"]);
const SOON = 0.25, NOW = 0.1, HOUR = 3_600_000;

// How loud a deadline is: by what is left of it, and never quiet in its last hours.
export function urgency(report, now = Date.now()) {
  const { receipt, status } = report ?? {};
  if (!receipt?.due_at || WAITING.has(status)) return { level: "calm", left: null };
  const due = Date.parse(receipt.due_at), whole = due - Date.parse(receipt.registered_at);
  const left = due - now;
  if (left <= 0) return { level: "over", left };
  if (left < whole * NOW || left < HOUR) return { level: "now", left };
  if (left < whole * SOON || left < 24 * HOUR) return { level: "soon", left };
  return { level: "calm", left };
}

function dueTag(report) {
  const { level, left } = urgency(report);
  if (left === null) return null;
  const kind = { calm: "", soon: "warn", now: "bad", over: "bad shout" }[level];
  const text = level === "over" ? `${t("due.over")} ${span(left)}` : `${t("due.in")} ${span(left)}`;
  return h("span", { class: `tag ${kind}` }, text);
}

export async function reportsView(view) {
  let rows = [], next = "", chosen = 0, overdueOnly = false;
  const list = h("ul", { class: "list card", role: "listbox", tabIndex: 0, "aria-label": t("tab.reports") });
  const detail = h("section", { class: "card" }, state("☰", t("pick")));

  async function load(token = "") {
    const page = await get(`/v1/reports?overdue_only=${overdueOnly}&page_size=50&page_token=${encodeURIComponent(token)}`, PURPOSE);
    rows = token ? [...rows, ...page.reports] : page.reports;
    next = page.next_page_token;
    chosen = Math.min(chosen, Math.max(0, rows.length - 1));
    draw();
  }

  function draw() {
    list.replaceChildren(...rows.map(({ report, place }, at) => {
      const loud = { soon: "due-soon", now: "due-now", over: "due-now", calm: "" }[urgency(report).level];
      return h("li", {
        class: `row ${loud}`, role: "option", "aria-selected": String(at === chosen),
        onclick: () => { chosen = at; draw(); view.guard(show); },
      },
        h("div", { class: "top" }, h("b", {}, t(`category.${report?.category ?? "other"}`)), dueTag(report)),
        h("div", { class: "small soft" },
          `${report?.receipt?.number ?? report?.report_id ?? ""} · ${t(`state.${report?.status}`)} · ${place?.region ?? ""}`));
    }));
    if (next) list.append(h("li", { class: "row" }, h("button", { onclick: () => view.guard(() => load(next)) }, t("more"))));
    if (!rows.length) list.replaceChildren(state("✓", t("reports.empty")));
    list.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  async function show() {
    const id = rows[chosen]?.report?.report_id;
    if (!id) return;
    const { report } = await get(`/v1/reports/${id}`, PURPOSE);
    if (view.shown()) detail.replaceChildren(about(report), ...pictures(report), actions(report));
  }

  function actions({ report }) {
    const act = async (path, title, fields, bodyOf) => {
      let body = {};
      if (fields) {
        const answer = await ask(title, fields, { send: t("send"), cancel: t("cancel") });
        if (!answer) return;
        body = bodyOf(answer);
      }
      await view.guard(async () => {
        await post(`/v1/reports/${report.report_id}/${path}`, body, PURPOSE);
        notify(t("done"));
        await load();
        await show();
      });
    };
    const long = (label) => [{ label, long: true }];
    const button = (key, kind, run) => h("button", { class: kind, onclick: run }, t(key));
    return h("div", { class: "decide" },
      button("take", "main", () => act("take")),
      button("answer", "", () => act("answer", t("answer"), long(t("answer")), ([answer]) => ({ answer }))),
      button("ask", "", () => act("ask", t("ask"), long(t("ask")), ([question]) => ({ question }))),
      button("route", "", () => act("route", t("route"), [{ label: t("unit") }, { label: t("reason") }],
        ([unit, reason]) => ({ unit, reason }))),
      report.category === "traffic_violation"
        ? button("accept", "", () => act("accept-traffic-evidence", t("accept"),
          [{ label: t("plate") }, { label: t("offence"), value: "RED_LIGHT" }],
          ([plate, code]) => ({ plate, offence_code: code })))
        : null);
  }

  const filter = h("label", { class: "small" }, h("input", {
    type: "checkbox", onchange: (event) => { overdueOnly = event.target.checked; view.guard(() => load()); },
  }), " ", t("overdue.only"));
  const move = (by) => { chosen = Math.max(0, Math.min(rows.length - 1, chosen + by)); draw(); return view.guard(show); };
  view.keys = { j: () => move(1), k: () => move(-1) };
  view.every(30_000, draw);
  await load();
  if (rows.length) await view.guard(show);
  return [
    h("div", { class: "bar" }, h("h1", {}, t("tab.reports")), filter, h("span", { class: "grow" }),
      h("span", { class: "soft small" }, h("kbd", {}, "j"), " ", h("kbd", {}, "k"), ` ${t("move")}`),
      h("button", { onclick: () => view.guard(() => load()) }, t("refresh"))),
    h("div", { class: "split" }, list, detail),
  ];
}

function about({ report, place, text, reporter, unit, operator, occurred_at, steps, story, partner }) {
  return h("div", {},
    h("div", { class: "bar" }, h("h1", {}, t(`category.${report.category}`)),
      h("span", { class: "tag" }, t(`state.${report.status}`)), dueTag(report)),
    facts([
      [t("number"), report.receipt?.number],
      [t("due"), moment(report.receipt?.due_at)],
      [t("when"), moment(occurred_at)],
      [t("where"), [place?.region, place?.address].filter(Boolean).join(", ")],
      [t("reporter"), [reporter?.name, reporter?.phone].filter(Boolean).join(", ") || t("anonymous")],
      [t("source"), partner],
      [t("unit"), unit],
      [t("sign.operator"), operator],
      [t("story"), h("span", { class: "mono" }, story)],
    ]),
    h("h2", {}, t("text")), h("p", {}, text || "—"),
    report.question ? h("p", { class: "hold" }, `${t("ask")}: ${report.question}`) : null,
    report.answer ? h("p", {}, h("b", {}, `${t("answer")}: `), report.answer) : null,
    h("h2", {}, t("steps")),
    h("ol", { class: "small" }, steps.map((step) =>
      h("li", {}, `${moment(step.at)} · ${t(`state.${step.status}`)} · ${step.actor} ${step.note}`))));
}

function pictures({ report, media }) {
  return media.filter((one) => one.evidence_sha256 && one.content_type.startsWith("image/")).map((one) => {
    const place = h("div", { class: "evidence alone" });
    blob(`/v1/reports/${report.report_id}/media/${one.media_id}`, PURPOSE).then(createImageBitmap).then((image) => {
      const canvas = h("canvas", { width: image.width, height: image.height, role: "img" });
      canvas.getContext("2d").drawImage(image, 0, 0);
      place.replaceChildren(canvas);
    }).catch((error) => place.replaceChildren(state("⚠", error.message)));
    return place;
  });
}
