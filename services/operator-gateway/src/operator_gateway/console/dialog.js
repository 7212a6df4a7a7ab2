// Questions in a dialog. What was typed is kept until it was accepted: a refusal leaves the dialog
// open with the text and the wrong fields, closing it keeps a draft for the same case and action.

import { h } from "./dom.js";
import { fieldText, refusalText, t } from "./texts.js";

const drafts = new Map();
let open = null;

// What was typed for a case belongs to that operator in this tab alone.
export const forgetDrafts = () => drafts.clear();

// The case of the open dialog has changed: nothing is sent from here any more, the text stays.
export const outdate = (caseId) => { if (open?.caseId === caseId) open.outdate(); };

// Asks for `fields` ({ name, label, long, value }) and hands their values to `submit`, which may
// refuse by throwing; resolves to whether it was accepted. `key` names the draft, `caseId` the case.
export function askFor({ key, caseId, title, about, fields, send, submit }) {
  const dialog = document.getElementById("ask");
  return new Promise((resolve) => {
    let accepted = false, sending = false, outdated = false;
    const kept = drafts.get(key) ?? {};
    const inputs = fields.map((field) => makeField(field, kept[field.name]));
    const values = () => Object.fromEntries(inputs.map(({ name, input }) => [name, input.value]));
    const refusal = h("p", { class: "refusal", role: "alert", hidden: true });
    const sendButton = h("button", { class: "main", type: "button", onclick: () => finish() },
      send, " ", h("kbd", {}, "Ctrl+⏎"));
    const tell = (text) => { refusal.textContent = text; refusal.hidden = false; };
    const outdate = (text) => {
      outdated = true;
      sendButton.disabled = true;
      tell(text ?? t("case.changed.text"));
    };

    async function finish() {
      if (sending || outdated) return;
      sending = sendButton.disabled = true;
      refusal.hidden = true;
      inputs.forEach(({ mark }) => mark(""));
      drafts.set(key, values());
      try {
        await submit(Object.fromEntries(Object.entries(values()).map(([name, text]) => [name, text.trim()])));
        accepted = true;
        drafts.delete(key);
        dialog.close();
      } catch (error) { refused(error); } finally {
        sending = false;
        sendButton.disabled = outdated;
      }
    }

    function refused(error) {
      const fieldOf = (wrong) => inputs.find(({ name }) => name === wrong.field);
      tell(refusalText(error, (wrong) => !fieldOf(wrong)));
      for (const wrong of error.fields ?? []) fieldOf(wrong)?.mark(fieldText(wrong));
      if (error.outdates) outdate(`${refusalText(error)} ${t("text.kept")}`);
      (inputs.find(({ input }) => input.getAttribute("aria-invalid")) ?? inputs[0])?.input.focus();
    }

    dialog.onkeydown = (event) => {
      event.stopPropagation();
      const sends = event.key === "Enter" && !event.isComposing && !event.repeat
        && (event.ctrlKey || event.metaKey || event.target.tagName === "INPUT");
      if (sends) { event.preventDefault(); finish(); }
    };
    dialog.onclose = () => {
      if (!accepted && Object.values(values()).some((text) => text.trim())) drafts.set(key, values());
      open = null;
      resolve(accepted);
    };
    show(dialog, title, [
      about ? h("p", { class: "soft" }, about) : null,
      inputs.map(({ whole }) => whole), refusal,
      h("div", { class: "end" },
        h("button", { type: "button", onclick: () => dialog.close() }, t("cancel"), " ", h("kbd", {}, "Esc")), sendButton),
    ]);
    open = { caseId, outdate };
    inputs[0]?.input.focus();
  });
}

function makeField({ name, label, long, value = "", max }, kept) {
  const id = `field-${name}`;
  const input = h(long ? "textarea" : "input", { id, name, maxLength: max ?? (long ? 4000 : 100), dir: "auto" });
  input.value = kept ?? value;
  const wrong = h("span", { class: "wrong", id: `${id}-wrong`, hidden: true });
  const mark = (text) => {
    wrong.textContent = text;
    wrong.hidden = !text;
    if (text) { input.setAttribute("aria-invalid", "true"); input.setAttribute("aria-describedby", wrong.id); } else {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    }
  };
  return { name, input, mark, whole: h("div", { class: "stack tight" }, h("label", { for: id }, label), input, wrong) };
}

// Asks for one of `choices` or for words of one's own; resolves to the text, "" where none was given.
export function chooseText({ title, about, choices, chosen, own, send }) {
  const dialog = document.getElementById("ask");
  return new Promise((resolve) => {
    let answer = "";
    const text = h("input", { id: "own-text", maxLength: 200, dir: "auto", "aria-label": own });
    const ownRadio = h("input", { type: "radio", name: "choice", value: "" });
    const radios = choices.map((choice) => h("input", { type: "radio", name: "choice", value: choice }));
    const known = radios.find((radio) => radio.value === chosen);
    if (known) known.checked = true;
    else if (chosen) { ownRadio.checked = true; text.value = chosen; } else radios[0].checked = true;
    text.addEventListener("input", () => { ownRadio.checked = true; });
    const finish = () => {
      const picked = radios.find((radio) => radio.checked)?.value ?? text.value.trim();
      if (!picked) { text.focus(); return; }
      answer = picked;
      dialog.close();
    };
    dialog.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && event.target.tagName === "INPUT") { event.preventDefault(); finish(); }
    };
    dialog.onclose = () => resolve(answer);
    show(dialog, title, [
      h("p", { class: "soft" }, about),
      h("div", { class: "stack tight", role: "radiogroup", "aria-labelledby": "ask-title" },
        radios.map((radio) => h("label", { class: "choice" }, radio, " ", radio.value)),
        h("label", { class: "choice" }, ownRadio, " ", own), text),
      h("div", { class: "end" },
        h("button", { type: "button", onclick: () => dialog.close() }, t("cancel"), " ", h("kbd", {}, "Esc")),
        h("button", { class: "main", type: "button", onclick: finish }, send, " ", h("kbd", {}, "⏎"))),
    ]);
    (radios.find((radio) => radio.checked) ?? text).focus();
  });
}

export function tellIn(title, content) {
  const dialog = document.getElementById("ask");
  dialog.onkeydown = (event) => event.stopPropagation();
  dialog.onclose = null;
  const close = h("button", { type: "button", onclick: () => dialog.close() }, t("close"), " ", h("kbd", {}, "Esc"));
  show(dialog, title, [content, h("div", { class: "end" }, close)]);
  close.focus();
}

// Modal, so the browser keeps the focus inside and gives it back afterwards.
function show(dialog, title, content) {
  dialog.setAttribute("aria-labelledby", "ask-title");
  dialog.replaceChildren(h("div", { class: "stack" }, h("h2", { id: "ask-title", class: "title" }, title), ...content.flat()));
  dialog.showModal();
}
