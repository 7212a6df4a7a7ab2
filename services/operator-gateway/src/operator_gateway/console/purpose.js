// Why an operator looks: chosen once for a queue, shown, kept for half an hour in this tab, sent with
// every call. It goes into the sealed log, so there is none that the page makes up by itself.

import { currentSession } from "./api.js";
import { chooseText } from "./dialog.js";
import { h } from "./dom.js";
import { clock } from "./formats.js";
import { t } from "./texts.js";

const KEPT = "tartip.purposes";
const KEPT_MILLISECONDS = 30 * 60_000;
const COMMON = {
  violations: ["purpose.review", "purpose.objection", "purpose.court"],
  reports: ["purpose.handling", "purpose.oversight", "purpose.court"],
  fines: ["purpose.enquiry", "purpose.objection", "purpose.court"],
};

const all = () => JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
const slot = (queue) => `${currentSession()?.operator}:${queue}`;
const found = (queue, now = Date.now()) => {
  const kept = all()[slot(queue)];
  return kept && kept.until > now ? kept : null;
};

export const forgetPurposes = () => sessionStorage.removeItem(KEPT);
export const purposeOf = (queue) => found(queue)?.text ?? "";

// The chosen purpose, or else the operator's answer; "" where none was given: then nothing is opened.
let asking = null;
export async function requirePurpose(queue) {
  return purposeOf(queue) || (asking ??= askPurpose(queue).finally(() => { asking = null; }));
}

export async function askPurpose(queue) {
  const text = await chooseText({
    title: t("purpose.title"), about: t("purpose.about"), choices: COMMON[queue].map(t),
    chosen: purposeOf(queue), own: t("purpose.own"), send: t("purpose.choose"),
  });
  if (text) {
    const kept = { text, until: Date.now() + KEPT_MILLISECONDS };
    sessionStorage.setItem(KEPT, JSON.stringify({ ...all(), [slot(queue)]: kept }));
    document.dispatchEvent(new CustomEvent("purpose"));
  }
  return text;
}

// Shows the purpose in the bar of a queue; pressing it changes it.
export function purposeChip(view, queue) {
  const chip = h("button", { class: "purpose", type: "button", onclick: () => askPurpose(queue) });
  const draw = () => {
    const kept = found(queue);
    chip.classList.toggle("missing", !kept);
    chip.replaceChildren(h("span", { class: "soft" }, `${t("purpose")}: `),
      h("b", { class: "written", dir: "auto" }, kept?.text ?? t("purpose.none")),
      kept ? h("span", { class: "soft" }, ` ${t("until").replace("{}", clock(kept.until).slice(0, 5))}`) : "");
  };
  draw();
  view.on(document, "purpose", draw);
  view.every(15_000, draw);
  return chip;
}
