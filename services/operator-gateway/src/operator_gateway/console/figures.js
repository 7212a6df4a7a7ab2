// Fines and the statistics of cameras: tables.

import { get, isAbort } from "./api.js";
import { arrange, facts, h, state, visible } from "./dom.js";
import { count, moment, sum } from "./formats.js";
import { purposeChip, purposeOf, requirePurpose } from "./purpose.js";
import { CasePanel } from "./queue.js";
import { code, t } from "./texts.js";

const QUEUE = "fines";
const STATES = ["awaiting", "issued", "delivered", "paid", "cancelled", "appealed", "in_force", "overdue"];
const LOUD = { paid: "good", overdue: "bad", in_force: "warn", appealed: "warn" };
const HEADS = ["number", "status", "rule", "region", "issued", "amount", "discount", "discount.until", "pay.until"];

export async function finesView(view) {
  let rows = [], next = "", wanted = "", listing = null;
  const lines = new Map();
  const body = h("tbody");
  const table = h("table", {}, h("caption", { class: "unseen" }, t("tab.fines")), h("thead", {}, h("tr", {}, HEADS.map((name) =>
    h("th", { scope: "col", class: ["amount", "discount"].includes(name) ? "number" : "" }, t(name))))), body);
  const place = h("div", { class: "card table", onkeydown: onkey });
  const panel = new CasePanel({
    view, draw: (_, fine) => about(fine, { close: () => panel.close(), open: show }),
    idOf: (fine) => fine.number, versionOf: (fine) => fine.version, allow: () => requirePurpose(QUEUE),
    load: async (number, signal) =>
      (await get(`/v1/fines/${encodeURIComponent(number)}`, { purpose: purposeOf(QUEUE), signal })).fine,
  });
  const show = (number) => panel.open(number, { headline: number });
  panel.onchange = draw;

  async function load(token = "") {
    listing?.abort();
    const { signal } = listing = new AbortController();
    const query = new URLSearchParams({ page_size: 50, page_token: token, ...(wanted ? { state: wanted } : {}) });
    try {
      const page = await get(`/v1/fines?${query}`, { purpose: purposeOf(QUEUE), signal });
      if (signal.aborted) return;
      rows = token ? [...rows, ...page.fines] : page.fines;
      next = page.next_page_token;
      draw();
    } catch (error) { if (!isAbort(error)) throw error; }
  }

  function draw() {
    panel.element.hidden = !panel.id;
    panel.mark(!panel.id || rows.some(({ number }) => number === panel.id));
    arrange(body, rows.map(line));
    const rest = next ? [h("div", { class: "after" }, h("button", { onclick: () => view.guard(() => load(next)) }, t("more")))] : [];
    if (rows.length) arrange(place, [table, ...rest]); else place.replaceChildren(state("◌", t("fines.empty")));
  }

  function line(fine) {
    const row = lines.get(fine.number) ?? h("tr", { class: "pickable", onclick: () => show(fine.number) });
    lines.set(fine.number, row);
    const chosen = fine.number === panel.id;
    row.classList.toggle("chosen", chosen);
    const button = row.querySelector("button") ?? h("button", { class: "link mono", type: "button" }, fine.number);
    button.setAttribute("aria-expanded", String(chosen));
    const cells = [
      h("span", {}, h("span", { class: `tag ${LOUD[fine.state] ?? ""}` }, t(`state.${fine.state}`)),
        fine.hold_reason ? h("div", { class: "small soft" }, code("hold", fine.hold_reason)) : null),
      fine.article, fine.region, moment(fine.issued_at), sum(fine.amount), sum(fine.discounted_amount),
      fine.dates?.discount_until ?? "", fine.dates?.voluntary_until ?? "",
    ].map((content, at) => h("td", { class: at === 4 || at === 5 ? "number" : "" }, content));
    const first = row.firstElementChild ?? h("td", {}, button);
    arrange(row, [first, ...cells]);
    return row;
  }

  // Up and down go from fine to fine.
  function onkey(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.code];
    const buttons = [...body.querySelectorAll("button.link")], at = buttons.indexOf(document.activeElement);
    if (!by || at < 0) return;
    event.preventDefault();
    buttons[Math.max(0, Math.min(buttons.length - 1, at + by))].focus();
  }

  const find = () => { if (search.value.trim()) show(search.value.trim()); };
  const search = h("input", { placeholder: t("number"), "aria-label": t("number"), maxLength: 64,
    onkeydown: (event) => { if (event.key === "Enter") find(); } });
  const filter = h("select", { "aria-label": t("status"), onchange: (event) => { wanted = event.target.value; view.guard(() => load()); } },
    h("option", { value: "" }, t("all")), STATES.map((name) => h("option", { value: name }, t(`state.${name}`))));
  view.onleave(() => listing?.abort());
  view.keys = { Slash: { label: t("find"), run: () => search.focus() } };
  await load();
  return [
    h("div", { class: "bar" }, h("h1", {}, t("tab.fines")), filter, purposeChip(view, QUEUE), h("span", { class: "grow" }), search,
      h("button", { onclick: find }, t("find")),
      h("button", { onclick: () => view.guard(() => load()) }, t("refresh"))),
    panel.element, place,
  ];
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

export async function camerasView(view) {
  const { total, regions } = await get("/v1/statistics/cameras");
  const names = ["registered", "connected", "with_ai", "online"];
  const bar = h("div", { class: "bar" }, h("h1", {}, t("tab.cameras")), h("span", { class: "grow" }),
    h("button", { onclick: () => view.again() }, t("refresh")));
  if (!total?.registered) return [bar, h("div", { class: "card" }, state("◌", t("cameras.empty")))];
  return [
    bar,
    h("div", { class: "tiles" }, names.map((name) =>
      h("div", { class: "card tile" }, h("b", {}, count(total[name])), h("span", { class: "soft" }, t(name))))),
    h("div", { class: "card table" }, h("table", {}, h("caption", { class: "unseen" }, t("tab.cameras")),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("region")), names.map((name) => h("th", { scope: "col", class: "number" }, t(name))))),
      h("tbody", {}, regions.map((row) => h("tr", {}, h("td", {}, row.region),
        names.map((name) => h("td", { class: "number" }, count(row[name]))))))))
  ];
}
