// Keys by their place on the keyboard (`event.code`), so that they work in every layout. They are
// silent while somebody types, in dialogs, and where a key is held down (but for moving).

import { tellIn } from "./dialog.js";
import { h } from "./dom.js";
import { t } from "./texts.js";

const NO_TEXT = new Set(["checkbox", "radio", "button", "submit", "file", "reset"]);
const NAMES = { Slash: "/", ArrowDown: "↓", ArrowUp: "↑" };
export const keyName = (code) => NAMES[code] ?? code.replace(/^Key|^Digit/, "").toLowerCase();
export const keyHint = (code) => h("kbd", {}, keyName(code));

function isTyping(target) {
  if (target.isContentEditable || ["TEXTAREA", "SELECT"].includes(target.tagName)) return true;
  return target.tagName === "INPUT" && !NO_TEXT.has(target.type);
}

// `keysNow()` gives { code: { label, run, held } }, `tabAt(number)` what a digit opens.
export function listenToKeys(keysNow, tabAt) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (isTyping(event.target)) {
      if (event.code === "Escape") event.target.blur();
      return;
    }
    const digit = event.code.match(/^(?:Digit|Numpad)([1-9])$/);
    const asks = event.key === "?" || (event.shiftKey && event.code === "Slash");
    const act = asks ? { run: () => showKeys(keysNow()) }
      : event.shiftKey ? null : digit ? tabAt(Number(digit[1])) : keysNow()[event.code];
    if (!act) return;
    event.preventDefault();
    if (!event.repeat || act.held) act.run();
  });
}

export function showKeys(keys) {
  const rows = Object.entries(keys).map(([code, { label }]) => [keyName(code), label]);
  rows.push(["1 … 9", t("keys.tabs")], ["?", t("keys.help")], ["Esc", t("keys.leave")]);
  tellIn(t("keys.title"), h("div", {},
    h("dl", { class: "facts" }, rows.flatMap(([name, label]) => [h("dt", {}, h("kbd", {}, name)), h("dd", {}, label)])),
    h("p", { class: "soft small" }, t("keys.layout"))));
}
