// Questions in a dialog. What was typed is kept until it was accepted: a refusal leaves the dialog
// open with the text and the wrong fields, closing it keeps a draft for the same case and action.

import { h, notify, visible } from "./dom.js";
import { fieldText, refusalText, t } from "./texts.js";

let drafts = new Map();
let open = null;
// What follows when a dialog closes.
const afterwards = new WeakMap();

// What was typed for a case belongs to that operator in this tab alone.
export const forgetDrafts = () => { drafts = new Map(); };

// The case of the open dialog has changed: nothing is sent from here any more, the text stays. What is
// under way is answered by the case's owner, and why something was refused stays to be read.
export const outdate = (caseId) => {
  if (open?.caseId === caseId && !open.sending && !open.outdated) open.outdate();
};

// Asks for `fields` ({ name, label, long, value, max, options, many, preview }; options and many are { value, label }) and hands their values to `submit`, which may
// refuse by throwing; resolves to whether it was accepted. `key` names the draft, `caseId` the case.
export const askFor = (question) => new Promise((resolve) => { new Question(question, resolve).show(); });

class Question {
  constructor({ key, caseId, title, about, fields, send, submit }, resolve) {
    Object.assign(this, { key, caseId, title, about, submit, resolve, drafts });
    this.dialog = document.getElementById("ask");
    const kept = drafts.get(key) ?? {};
    this.inputs = fields.map((field) => makeField(field, kept[field.name]));
    this.refusal = h("p", { class: "refusal", role: "alert", hidden: true });
    this.button = h("button", { class: "main", type: "button", onclick: () => this.finish() }, send, " ", h("kbd", {}, "Ctrl+⏎"));
    this.accepted = this.sending = this.outdated = false;
  }

  show() {
    this.dialog.onkeydown = (event) => this.onkey(event);
    show(this.dialog, this.title, [
      this.about ? h("p", { class: "soft" }, this.about) : null,
      this.inputs.map(({ whole }) => whole), this.refusal,
      h("div", { class: "end" }, cancelButton(this.dialog), this.button),
    ], () => this.closed());
    open = this;
    this.inputs[0]?.input.focus();
  }

  // The dialog may have been closed since, and ask another question now.
  get isOpen() { return open === this; }
  get values() { return Object.fromEntries(this.inputs.map(({ name, input }) => [name, input.value])); }

  onkey(event) {
    event.stopPropagation();
    const sends = event.key === "Enter" && !event.isComposing && !event.repeat
      && (event.ctrlKey || event.metaKey || event.target.tagName === "INPUT");
    if (sends) { event.preventDefault(); this.finish(); }
  }

  async finish() {
    if (this.sending || this.outdated) return;
    this.sending = this.button.disabled = true;
    this.refusal.hidden = true;
    this.inputs.forEach(({ mark }) => mark(""));
    const { values } = this;
    this.drafts.set(this.key, values);
    try {
      await this.submit(Object.fromEntries(Object.entries(values).map(([name, text]) => [name, text.trim()])));
      this.accepted = true;
      this.drafts.delete(this.key);
      if (this.isOpen) close(this.dialog);
    } catch (error) { this.refused(error); } finally {
      this.sending = false;
      this.button.disabled = this.outdated;
    }
  }

  refused(error) {
    if (!this.isOpen) { notify(`${this.about}: ${refusalText(error)}`, true); return; }
    const fieldOf = (wrong) => this.inputs.find(({ name }) => name === wrong.field);
    this.tell(refusalText(error, (wrong) => !fieldOf(wrong)));
    for (const wrong of error.fields ?? []) fieldOf(wrong)?.mark(fieldText(wrong));
    if (error.outdates) this.outdate(`${refusalText(error)} ${t("text.kept")}`);
    (this.inputs.find(({ input }) => input.getAttribute("aria-invalid")) ?? this.inputs[0])?.input.focus();
  }

  outdate(text = t("case.changed.text")) {
    this.outdated = this.button.disabled = true;
    this.tell(text);
  }

  tell(text) {
    this.refusal.textContent = text;
    this.refusal.hidden = false;
  }

  closed() {
    const { values } = this;
    if (!this.accepted && Object.values(values).some((text) => text.trim())) this.drafts.set(this.key, values);
    open = null;
    this.resolve(this.accepted);
  }
}

const cancelButton = (dialog) =>
  h("button", { type: "button", onclick: () => close(dialog) }, t("cancel"), " ", h("kbd", {}, "Esc"));

function makeField({ name, label, long, value = "", max, options, many, preview }, kept) {
  const id = `field-${name}`;
  const input = many ? checkboxes(id, many) : options
    ? h("select", { id, name }, options.map((one) => h("option", { value: one.value }, one.label)))
    : h(long ? "textarea" : "input", { id, name, maxLength: max ?? (long ? 4000 : 100), dir: "auto" });
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
  const whole = h("div", { class: "stack tight" }, h("label", { for: id, id: `${id}-label` }, label), input, wrong);
  if (preview) whole.append(previewOf(input, preview));
  return { name, input, mark, whole };
}

// All that are marked, as one value: "id id".
function checkboxes(id, many) {
  const boxes = many.map((one) => h("input", { type: "checkbox", value: one.value }));
  const group = h("div", { id, role: "group", class: "many", tabIndex: -1, "aria-labelledby": `${id}-label` },
    many.map((one, at) => h("label", { class: "choice" }, boxes[at], " ", one.label)));
  Object.defineProperty(group, "value", {
    get: () => boxes.filter((box) => box.checked).map((box) => box.value).join(" "),
    set: (text) => { for (const box of boxes) box.checked = text.split(" ").includes(box.value); },
  });
  return group;
}

// What a choice would become, as `preview(value)` says; of a slow answer to an earlier choice nothing is shown.
function previewOf(input, preview) {
  const place = h("p", { class: "hold written", role: "status", dir: "auto", "data-preview": "", hidden: true });
  const look = async () => {
    const { value } = input;
    place.hidden = !value;
    if (!value) return;
    place.textContent = t("loading");
    let text;
    try { text = visible(await preview(value)); } catch (error) { text = refusalText(error); }
    if (input.value === value) place.textContent = text;
  };
  input.addEventListener("change", look);
  look();
  return place;
}

// Asks for one of `choices` or for words of one's own; resolves to the text, "" where none was given.
export function chooseText({ title, about, choices, chosen, own, send }) {
  // Of its own: a purpose may have run out while a question is open, whose text is to stay.
  const dialog = document.getElementById("choose");
  const { radios, ownRadio, text } = makeChoices(choices, chosen, own);
  return new Promise((resolve) => {
    let answer = "";
    const finish = () => {
      answer = radios.find((radio) => radio.checked)?.value ?? text.value.trim();
      if (answer) close(dialog); else text.focus();
    };
    dialog.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && event.target.tagName === "INPUT") { event.preventDefault(); finish(); }
    };
    show(dialog, title, [
      h("p", { class: "soft" }, about),
      h("div", { class: "stack tight", role: "radiogroup", "aria-labelledby": "choose-title" },
        radios.map((radio) => h("label", { class: "choice" }, radio, " ", radio.value)),
        h("label", { class: "choice" }, ownRadio, " ", own), text),
      h("div", { class: "end" }, cancelButton(dialog),
        h("button", { class: "main", type: "button", onclick: finish }, send, " ", h("kbd", {}, "⏎"))),
    ], () => resolve(answer));
    (radios.find((radio) => radio.checked) ?? text).focus();
  });
}

// What was chosen before is chosen, or else the first.
function makeChoices(choices, chosen, own) {
  const text = h("input", { id: "own-text", maxLength: 200, dir: "auto", "aria-label": own });
  const ownRadio = h("input", { type: "radio", name: "choice", value: "" });
  const radios = choices.map((choice) => h("input", { type: "radio", name: "choice", value: choice }));
  const isOwn = chosen && !choices.includes(chosen);
  if (isOwn) text.value = chosen;
  (isOwn ? ownRadio : radios.find((radio) => radio.value === chosen) ?? radios[0]).checked = true;
  text.addEventListener("input", () => { ownRadio.checked = true; });
  return { radios, ownRadio, text };
}

export function tellIn(title, content) {
  const dialog = document.getElementById("ask");
  dialog.onkeydown = (event) => event.stopPropagation();
  const button = h("button", { type: "button", onclick: () => close(dialog) }, t("close"), " ", h("kbd", {}, "Esc"));
  show(dialog, title, [content, h("div", { class: "end" }, button)]);
  button.focus();
}

// Modal, so the browser keeps the focus inside and gives it back afterwards.
function show(dialog, title, content, then = () => {}) {
  settle(dialog);
  afterwards.set(dialog, then);
  dialog.onclose = () => settle(dialog);
  const id = `${dialog.id}-title`;
  dialog.setAttribute("aria-labelledby", id);
  dialog.replaceChildren(h("div", { class: "stack" }, h("h2", { id, class: "title" }, title), ...content.flat()));
  dialog.showModal();
}

// At once: the browser tells of a closed dialog in a task of its own, and the next key may come before.
function close(dialog) {
  dialog.close();
  settle(dialog);
}

// Not while it is open: then what the browser tells is of the question before.
function settle(dialog) {
  if (dialog.open) return;
  const then = afterwards.get(dialog);
  afterwards.delete(dialog);
  then?.();
}
