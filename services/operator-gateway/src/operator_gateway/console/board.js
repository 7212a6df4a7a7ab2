// The load of units and officers: what nobody has taken comes first.

import { get } from "./api.js";
import { tellIn } from "./dialog.js";
import { h, state } from "./dom.js";
import { count } from "./formats.js";
import { t } from "./texts.js";

const NUMBERS = ["unassigned", "open", "overdue", "due_soon", "waits_for_reporter"];

export async function showBoard() {
  const { units } = await get("/v1/reports/board");
  const head = h("tr", {}, h("th", { scope: "col" }, t("unit")),
    NUMBERS.map((name) => h("th", { scope: "col", class: "number" }, t(`board.${name}`))));
  tellIn(t("board"), units.length
    ? h("div", { class: "table" }, h("table", { class: "board" }, h("thead", {}, head), h("tbody", {}, units.flatMap(rows))))
    : state("◌", t("reports.empty")));
}

const rows = (unit) => [
  h("tr", {}, h("th", { scope: "row" }, unit.unit), NUMBERS.map((name) => cell(name, unit[name]))),
  ...unit.officers.map((officer) => h("tr", { class: "small soft" }, h("td", {}, officer.operator),
    NUMBERS.map((name) => cell(name, officer[name])))),
];

// An officer has no number of some of them.
const cell = (name, number) => h("td", { class: "number" }, number === undefined ? "" : h("span",
  { class: number && (name === "overdue" || name === "unassigned") ? "tag bad" : "" }, count(number)));
