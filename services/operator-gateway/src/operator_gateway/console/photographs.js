// The files of a report at the desk: photographs blurred at first, and clear for those who may open them.

import { isAbort } from "./api.js";
import { h, state } from "./dom.js";
import { drawFilm, drawSound, evidenceText, loadEvidence, reportMediaPath } from "./evidence.js";
import { t } from "./texts.js";

const LOOK_MILLISECONDS = 4000;
const isPhotograph = ({ content_type: kind }) => kind.startsWith("image/");

// What is shown of each file in the evidence store for as long as `signal` holds. `ask()` resolves to
// the purpose for which a clear form is opened, "" for none.
export function pictures(whole, { purpose, signal, ask }) {
  return whole.media.filter((item) => item.evidence_sha256).map((item) => {
    const file = new File({ whole, item, signal, ask });
    if (isPhotograph(item)) file.show({ blurred: true, purpose });
    else if (whole.opens_clean) file.show({ blurred: false, purpose });
    else file.say("◌", "media.assigned_alone");
    return file.element;
  });
}

class File {
  constructor({ whole, item, signal, ask }) {
    Object.assign(this, { whole, item, signal, ask });
    this.element = h("section", { class: "evidence alone", "data-media": item.media_id });
  }

  async show({ blurred, purpose }) {
    const { whole, item, signal } = this;
    this.say("…", "evidence.loading");
    try {
      const sha256 = blurred ? item.blurred_sha256 : item.shown_sha256;
      const piece = await loadEvidence(reportMediaPath(whole.report, item, blurred), sha256, { purpose, signal });
      this.element.dataset.form = blurred ? "blurred" : "clean";
      this.element.replaceChildren(...[drawn(piece, signal), isPhotograph(item) && this.bar({ blurred, purpose })].filter(Boolean));
    } catch (error) {
      if (isAbort(error)) return;
      if (error.reason === "MEDIA_NOT_BLURRED_YET") return this.wait(purpose);
      this.element.replaceChildren(state("⚠", evidenceText(error)), ...this.clearAlone(blurred));
    }
  }

  // It is looked for again by itself: the models have more urgent frames.
  wait(purpose) {
    this.element.dataset.form = "pending";
    this.element.replaceChildren(state("…", t("media.pending")), ...this.clearAlone(true));
    const again = setTimeout(() => {
      if (this.element.dataset.form === "pending") this.show({ blurred: true, purpose });
    }, LOOK_MILLISECONDS);
    this.signal?.addEventListener("abort", () => clearTimeout(again));
  }

  bar({ blurred, purpose }) {
    return h("p", { class: "bar" }, h("span", { class: "soft" }, t(blurred ? "media.blurred" : "media.clean")),
      blurred ? this.clear() : h("button", { onclick: () => this.show({ blurred: true, purpose }) }, t("media.show_blurred")));
  }

  clear() {
    return this.whole.opens_clean ? h("button", { "data-clear": "", onclick: () => this.open() }, t("media.show_clean")) : null;
  }

  clearAlone(blurred) {
    const button = blurred ? this.clear() : null;
    return button ? [h("p", { class: "bar" }, button)] : [];
  }

  async open() {
    const purpose = await this.ask();
    if (purpose) await this.show({ blurred: false, purpose });
  }

  say(sign, text) {
    this.element.replaceChildren(state(sign, t(text)));
  }
}

function drawn({ bitmap, film, sound }, signal) {
  if (film) return drawFilm(film, signal);
  if (sound) return drawSound(sound, signal);
  const canvas = h("canvas", { width: bitmap.width, height: bitmap.height, role: "img", "aria-label": t("evidence") });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas;
}
