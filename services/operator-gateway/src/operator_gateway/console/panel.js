// The open case. It goes by id: an answer that comes late is of the case it was asked for or of none.

import { isAbort } from "./api.js";
import { outdate } from "./dialog.js";
import { h, state } from "./dom.js";
import { refusalText, t } from "./texts.js";

// Rows that are only passed by are not opened: opening is a read of a person's data and is logged.
const PASSING_MILLISECONDS = 250;

export const failedState = (error, again) => h("div", { class: "state failed", role: "alert" },
  h("span", { class: "sign", "aria-hidden": "true" }, "⚠"), h("p", {}, refusalText(error)), h("button", { onclick: again }, t("retry")));

export class CasePanel {
  // `load(id, signal)` reads a case whole, `draw(panel, data)` shows it; `idOf` and `versionOf` name it.
  // `allow()` is asked before each read: it resolves to whether there is a purpose to read for.
  // `label` names the panel; with `listed` it says of a case that it is not in the list beside it.
  constructor({ view, load, draw, idOf, versionOf, allow, label = t("case"), listed = true }) {
    Object.assign(this, { view, load, draw, idOf, versionOf, allow, listed });
    this.id = "";
    this.data = null;
    this.signal = null;
    // The newest version that was heard of while it could not be read.
    this.latest = 0;
    this.onchange = () => {};
    this.element = h("section", { class: "card case", tabIndex: -1, "aria-label": label });
    this.away = h("p", { class: "unlisted", hidden: true }, t("case.not.listed"));
    this.close();
    view.onleave(() => this.abort());
  }

  abort() { this.asking?.abort(); clearTimeout(this.waiting); }

  // What is on the screen now, to bind an action to; null while nothing is, or not what there is now.
  shown() {
    return this.data && !this.outdated
      ? { id: this.id, version: this.versionOf(this.data), data: this.data } : null;
  }

  close() {
    this.abort();
    this.id = "";
    this.put(null, "empty", state("☰", t("pick")));
  }

  // Another case: what was shown goes from the screen at once, and its request is given up.
  open(id, { headline = "", passing = false } = {}) {
    this.abort();
    this.id = id;
    this.latest = 0;
    this.put(null, "loading", h("div", { class: "loading" }, h("h2", { class: "title" }, headline), state("…", t("loading"))));
    if (passing) this.waiting = setTimeout(() => this.read(), PASSING_MILLISECONDS);
    else this.read();
  }

  // The same case again: until it has been read, what is shown can be looked at and nothing done.
  reload({ changed = true } = {}) {
    if (!this.id) return;
    this.abort();
    this.outdated = true;
    this.element.setAttribute("aria-busy", "true");
    this.element.querySelectorAll(".decide button").forEach((button) => { button.disabled = true; });
    if (changed) outdate(this.id);
    this.read();
  }

  // A case came to be of this version: noted while it is read or acted on, whose answer may be older.
  hear(id, version) { if (id === this.id) this.latest = Math.max(this.latest, version); }

  // Reads what is older than what was heard of, once for each time that it was.
  catchUp() {
    const shown = this.shown(), { latest } = this;
    if (!shown) return;
    this.latest = 0;
    if (shown.version < latest) this.reload();
  }

  async read() {
    const id = this.id, asking = this.asking = new AbortController();
    this.signal = asking.signal;
    try {
      if (!(await this.allow())) { if (!asking.signal.aborted) this.unread(); return; }
      if (asking.signal.aborted) return;
      const data = await this.load(id, asking.signal);
      if (asking.signal.aborted) return;
      this.show(data);
      this.catchUp();
    } catch (error) {
      if (isAbort(error) || asking.signal.aborted) return;
      if (error.status === 401) { this.view.failed(error); return; }
      this.put(null, "failed", failedState(error, () => this.open(id)));
    }
  }

  unread() {
    const id = this.id;
    this.put(null, "unread", state("⚿", t("purpose.needed"), h("p", {},
      h("button", { class: "main", onclick: () => this.open(id) }, t("purpose.choose")))));
  }

  // The answer to an action on a case: shown where that case is still the open one.
  show(data) {
    if (this.idOf(data) !== this.id || !this.view.shown()) return;
    if (this.data && this.versionOf(this.data) !== this.versionOf(data)) outdate(this.id);
    this.abort();
    this.asking = new AbortController();
    this.signal = this.asking.signal;
    this.put(data, "shown");
    this.element.append(...this.draw(this, data));
    this.onchange();
  }

  put(data, name, ...content) {
    this.data = data;
    this.outdated = false;
    this.element.removeAttribute("aria-busy");
    this.element.dataset.state = name;
    this.element.dataset.caseId = this.id;
    this.element.dataset.caseVersion = data ? String(this.versionOf(data)) : "";
    this.element.replaceChildren(this.away, ...content);
    this.onchange();
  }

  // Whether the open case stands in the list beside it.
  mark(listed) { this.away.hidden = listed || !this.listed || !this.id; }
}
