// The files of a report at the desk: photographs and first frames of films blurred at first, and clear for
// those who may open them.

import { isAbort } from "./api.js";
import { h, state } from "./dom.js";
import { drawFilm, drawSound, evidenceText, loadEvidence, reportMediaPath } from "./evidence.js";
import { t } from "./texts.js";

const LOOK_MILLISECONDS = 4000;
const WAITS = { MEDIA_NOT_BLURRED_YET: "media.pending", MEDIA_NOT_STORED: "media.arriving" };
const isPhotograph = ({ content_type: kind }) => kind.startsWith("image/");
const isFilm = ({ content_type: kind }) => kind.startsWith("video/");

// What is shown of each file for as long as `signal` holds. `ask()` resolves to the purpose for which a
// clear form is opened, "" for none.
export function pictures(whole, { purpose, signal, ask }) {
  return whole.media.map((item) => {
    const file = new File({ whole, item, signal, ask });
    if (isPhotograph(item)) file.show({ blurred: true, purpose });
    else if (isFilm(item)) file.show({ blurred: true, frame: true, purpose });
    else file.showWhole(purpose);
    return file.element;
  });
}

class File {
  constructor({ whole, item, signal, ask }) {
    Object.assign(this, { whole, item, signal, ask });
    signal?.addEventListener("abort", () => clearTimeout(this.again), { once: true });
    this.element = h("section", { class: "evidence alone", "data-media": item.media_id });
  }

  // Shows what is `asked`: { blurred, frame, purpose }; with `frame` the first frame of a film.
  async show(asked) {
    const { whole, item, signal } = this;
    const turn = this.begin();
    this.say("…", "evidence.loading");
    try {
      const piece = await loadEvidence(reportMediaPath(whole.report, item, asked), this.hashOf(asked), { purpose: asked.purpose, signal });
      if (turn !== this.turn) return;
      this.element.dataset.form = asked.blurred ? "blurred" : "clean";
      this.element.replaceChildren(...[drawn(piece, signal), this.bar(asked)].filter(Boolean));
    } catch (error) {
      if (isAbort(error) || turn !== this.turn) return;
      if (error.reason === "MEDIA_HAS_NO_FIRST_FRAME") return this.showWhole(asked.purpose);
      if (error.reason === "MEDIA_NOT_STORED" && this.isFilmItself(asked)) return this.show({ ...asked, frame: true });
      if (error.reason in WAITS) return this.wait(asked, WAITS[error.reason]);
      this.element.replaceChildren(state("⚠", evidenceText(error)), ...this.clearAlone(asked));
    }
  }

  // What was asked before and is still on its way is not shown any more.
  begin() {
    clearTimeout(this.again);
    this.element.dataset.form = "loading";
    this.turn = (this.turn ?? 0) + 1;
    return this.turn;
  }

  // A voice message, or a film that has no first frame.
  showWhole(purpose) {
    this.isWhole = true;
    if (this.whole.opens_clean) this.show({ blurred: false, purpose });
    else this.say("◌", "media.assigned_alone");
  }

  hashOf({ blurred, frame }) {
    if (blurred) return this.item.blurred_sha256;
    return frame ? this.item.first_frame_sha256 : this.item.shown_sha256;
  }

  isFilmItself({ blurred, frame }) {
    return isFilm(this.item) && !blurred && !frame;
  }

  // It is looked for again by itself: it is on its way, or the models have more urgent frames.
  wait(asked, text) {
    this.element.dataset.form = "pending";
    this.element.replaceChildren(state("…", t(text)), ...this.clearAlone(asked));
    this.again = setTimeout(() => this.show(asked), LOOK_MILLISECONDS);
  }

  bar({ blurred, frame, purpose }) {
    if (this.isWhole) return null;
    const isWaitedFor = frame && !blurred; // the film was asked for, and is not there
    const said = [
      frame && t("media.first_frame"), t(blurred ? "media.blurred" : "media.clean"), isWaitedFor && t("media.arriving"),
    ].filter(Boolean).join(". ");
    const back = { blurred: true, frame: isFilm(this.item), purpose };
    return h("p", { class: "bar" }, h("span", { class: "soft" }, said),
      blurred || frame ? this.clear() : h("button", { onclick: () => this.show(back) }, t("media.show_blurred")));
  }

  clear() {
    const text = isFilm(this.item) ? "media.open_film" : "media.show_clean";
    return this.whole.opens_clean ? h("button", { "data-clear": "", onclick: () => this.open() }, t(text)) : null;
  }

  clearAlone({ blurred }) {
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
