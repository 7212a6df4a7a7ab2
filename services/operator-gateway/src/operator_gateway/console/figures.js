// Fines and the statistics of cameras: tables.

import { get } from "./api.js";
import { facts, h, state } from "./dom.js";
import { count, moment, sum, t } from "./texts.js";

const PURPOSE = "fine-enquiry";
const STATES = ["issued", "delivered", "paid", "cancelled", "appealed", "in_force", "overdue"];
const LOUD = { paid: "good", overdue: "bad", in_force: "warn", appealed: "warn" };

export async function finesView(view) {
  let rows = [], next = "", wanted = "";
  const body = h("tbody");
  const place = h("div", { class: "card table" });
  const detail = h("section", {});

  async function load(token = "") {
    const filter = wanted ? `state=${wanted}&` : "";
    const page = await get(`/v1/fines?${filter}page_size=50&page_token=${encodeURIComponent(token)}`, PURPOSE);
    rows = token ? [...rows, ...page.fines] : page.fines;
    next = page.next_page_token;
    draw();
  }

  function draw() {
    if (!rows.length) { place.replaceChildren(state("◌", t("fines.empty"))); return; }
    body.replaceChildren(...rows.map((fine) => h("tr", { class: "pickable", onclick: () => view.guard(() => show(fine.number)) },
      h("td", { class: "mono" }, fine.number),
      h("td", {}, h("span", { class: `tag ${LOUD[fine.state] ?? ""}` }, t(`state.${fine.state}`)),
        fine.hold_reason ? h("div", { class: "small soft" }, fine.hold_reason) : null),
      h("td", {}, fine.article),
      h("td", {}, fine.region),
      h("td", {}, moment(fine.issued_at)),
      h("td", { class: "number" }, sum(fine.amount)),
      h("td", { class: "number" }, sum(fine.discounted_amount)),
      h("td", {}, fine.dates?.discount_until ?? ""),
      h("td", {}, fine.dates?.voluntary_until ?? ""))));
    const heads = ["number", "status", "rule", "region", "issued", "amount", "discount", "discount.until", "pay.until"];
    place.replaceChildren(h("table", {},
      h("thead", {}, h("tr", {}, heads.map((name) =>
        h("th", { class: ["amount", "discount"].includes(name) ? "number" : "" }, t(name))))), body));
    if (next) place.append(h("div", { class: "row" }, h("button", { onclick: () => view.guard(() => load(next)) }, t("more"))));
  }

  async function show(number) {
    const { fine } = await get(`/v1/fines/${encodeURIComponent(number)}`, PURPOSE);
    detail.replaceChildren(h("div", { class: "card" },
      h("div", { class: "bar" }, h("h1", { class: "mono" }, fine.number),
        h("span", { class: `tag ${LOUD[fine.state] ?? ""}` }, t(`state.${fine.state}`)),
        h("span", { class: "grow" }),
        h("button", { onclick: () => detail.replaceChildren() }, "✕")),
      facts([
        [t("rule"), `${fine.article} (${fine.offence_code})`],
        [t("amount"), sum(fine.amount)], [t("discount"), sum(fine.discounted_amount)],
        [t("discount.until"), fine.dates?.discount_until], [t("appeal.until"), fine.dates?.appeal_until],
        [t("pay.until"), fine.dates?.voluntary_until], [t("owner"), fine.owner_masked],
        [t("when"), moment(fine.occurred_at)], [t("issued"), moment(fine.issued_at)],
        [t("tab.violations"), h("span", { class: "mono" }, fine.violation_id)],
        [t("story"), h("span", { class: "mono" }, fine.story)],
      ])), h("p"));
    detail.scrollIntoView({ block: "nearest" });
  }

  const search = h("input", { placeholder: t("number"), maxLength: 64, onkeydown: (event) => {
    if (event.key === "Enter" && search.value.trim()) view.guard(() => show(search.value.trim()));
  } });
  const filter = h("select", { "aria-label": t("status"), onchange: (event) => { wanted = event.target.value; view.guard(() => load()); } },
    h("option", { value: "" }, t("all")), STATES.map((name) => h("option", { value: name }, t(`state.${name}`))));
  await load();
  return [
    h("div", { class: "bar" }, h("h1", {}, t("tab.fines")), filter, h("span", { class: "grow" }), search,
      h("button", { onclick: () => search.value.trim() && view.guard(() => show(search.value.trim())) }, t("find")),
      h("button", { onclick: () => view.guard(() => load()) }, t("refresh"))),
    detail, place,
  ];
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
    h("div", { class: "card table" }, h("table", {},
      h("thead", {}, h("tr", {}, h("th", {}, t("region")), names.map((name) => h("th", { class: "number" }, t(name))))),
      h("tbody", {}, regions.map((row) => h("tr", {}, h("td", {}, row.region),
        names.map((name) => h("td", { class: "number" }, count(row[name]))))))))
  ];
}
