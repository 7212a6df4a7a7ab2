// What both desks share: an action is of the case on the screen, in the version shown; only what its owner
// offers can be done; a refusal loses nothing that was typed.

import { currentSession, Refused } from "./api.js";
import { askFor } from "./dialog.js";
import { h, notify } from "./dom.js";
import { keyHint } from "./keys.js";
import { CasePanel } from "./panel.js";
import { purposeOf, requirePurpose } from "./purpose.js";
import { Queue } from "./queue.js";
import { refusalText, t } from "./texts.js";

export class Desk {
  // `queueName` names the purpose, `subjects` the facts that concern it, `actions` what may be offered:
  // { name: { key, label, kind, send, fields(data, desk) } }; fields may come later. Subclasses say idOf, versionOf, actionsOf, load, fetchPage,
  // drawRow, draw, headline, empty, nameOf and perform.
  constructor(view, { queueName, subjects, label, actions }) {
    Object.assign(this, { view, queueName, actions });
    this.acting = new Set();
    this.panel = new CasePanel({
      view, idOf: this.idOf, versionOf: this.versionOf, allow: () => requirePurpose(queueName),
      load: (id, signal) => this.load(id, signal), draw: (panel, data) => this.draw(data, panel.signal),
    });
    this.queue = new Queue({
      view, panel: this.panel, label, idOf: this.idOf, headline: this.headline, drawRow: this.drawRow,
      fetchPage: (token, signal) => this.fetchPage(token, signal), empty: () => this.empty(), pinned: () => this.pinned(),
    });
    this.refresh = view.oneAtATime(() => this.queue.reload());
    view.keys = this.keys();
    view.follow(subjects, (fact) => this.hear(fact));
  }

  get purpose() { return purposeOf(this.queueName); }
  pinned() { return []; }

  keys() {
    const acts = Object.entries(this.actions).map(([name, { key, label }]) => [key, { label: t(label), run: () => this.act(name) }]);
    return {
      KeyJ: { label: t("key.next"), run: () => this.queue.move(1), held: true },
      KeyK: { label: t("key.previous"), run: () => this.queue.move(-1), held: true },
      ...Object.fromEntries(acts),
      Slash: { label: t("key.filter"), run: () => this.filter.focus() },
    };
  }

  // A fact of this area, or null where some may have been missed.
  hear(fact) {
    if (!fact) this.panel.reload({ changed: false });
    else this.panel.hear(fact.id, fact.version);
    if (!this.acting.has(fact?.id)) this.panel.catchUp();
    this.refresh();
  }

  drawButtons(bar, data) {
    const offered = Object.keys(this.actions).filter((name) => this.actionsOf(data).includes(name));
    bar.hidden = !offered.length;
    bar.replaceChildren(...offered.map((name) => h("button", {
      class: this.actions[name].kind ?? "", "data-action": name, onclick: () => this.act(name),
      disabled: this.acting.has(this.idOf(data)) || Boolean(this.waitsFor(name, data)),
    }, t(this.actions[name].label), " ", keyHint(this.actions[name].key))), this.hint(data, offered));
  }

  hint() { return ""; }

  redrawButtons(id) {
    const shown = this.panel.shown(), bar = this.panel.element.querySelector(".decide");
    if (shown?.id === id && bar) this.drawButtons(bar, shown.data);
  }

  // The owner answers without the case: it is hidden from this operator now.
  gone() {}

  // What must come first before this can be done, in words; "" where nothing must.
  waitsFor() { return ""; }

  whyNot(name, bound) {
    if (!bound) return t(this.panel.id ? "case.loading" : "pick");
    if (!this.actionsOf(bound.data).includes(name)) return t("action.closed");
    return this.waitsFor(name, bound.data);
  }

  async act(name) {
    const bound = this.panel.shown();
    if (bound && this.acting.has(bound.id)) return;
    const why = this.whyNot(name, bound);
    if (why) { notify(why, true); return; }
    const { label, send = "send", fields } = this.actions[name];
    const submit = (values = {}) => this.carryOut(bound, name, values);
    if (!fields) { await submit().catch((error) => this.failed(bound, error)); return; }
    let wanted;
    try { wanted = await fields(bound.data, this); } catch (error) { this.failed(bound, error); return; }
    if (!this.isShown(bound.id)) return;
    await askFor({
      key: `${currentSession().operator}:${bound.id}:${name}`, caseId: bound.id, title: t(label),
      about: this.nameOf(bound.data), fields: wanted, send: t(send), submit,
    });
  }

  async carryOut(bound, name, values) {
    this.acting.add(bound.id);
    this.redrawButtons(bound.id);
    try {
      const purpose = await requirePurpose(this.queueName);
      if (!purpose) throw new Refused(0, { title: t("purpose.needed"), reason: "PURPOSE_REQUIRED" });
      const data = await this.perform(bound, name, values, purpose);
      if (data) {
        this.panel.show(data);
        this.done(name, data);
      } else this.gone(name, bound);
    } catch (error) {
      if (error.outdates) this.readAgain(bound.id);
      throw error;
    } finally {
      this.acting.delete(bound.id);
      this.redrawButtons(bound.id);
      this.panel.catchUp();
    }
  }

  readAgain(id) {
    if (this.panel.id === id) this.panel.reload();
    this.refresh();
  }

  // Where something else is on the screen by now, what is told names the case it is of.
  failed(bound, error) {
    if (this.isShown(bound.id) || error.status === 401) this.view.failed(error);
    else notify(`${this.nameOf(bound.data)}: ${refusalText(error)}`, true);
  }

  isShown(id) { return this.view.shown() && this.panel.id === id; }

  // A choice above the list; another choice is another list, and the open case stays as it is.
  select(name, label, options) {
    return h("select", { "aria-label": label, onchange: (event) => {
      this.wanted[name] = event.target.value;
      this.view.guard(() => this.queue.restart());
    } }, options);
  }
}
