// Codes of the legal tables with their names: outcomes of answers, reasons of questions, positions.

import { get } from "./api.js";
import { language, t } from "./texts.js";

let known = { outcomes: [], question_reasons: [], positions: [] };
let loading = null;

// Once a page; what could not be read is asked for again by the next.
export async function loadChoices() {
  loading ??= get("/v1/reports/choices");
  try { known = await loading; } catch (error) { loading = null; throw error; }
}

// A code that this page does not know stands for itself.
export const choiceName = (list, id) => known[list].find((one) => one.id === id)?.[language()] ?? id;

// What can be chosen for a report of a category, first nothing: nobody picks by accident.
export const options = (list, category) => [{ value: "", label: t("choose") }, ...known[list]
  .filter(({ categories }) => !categories.length || categories.includes(category))
  .map((one) => ({ value: one.id, label: one[language()] }))];
