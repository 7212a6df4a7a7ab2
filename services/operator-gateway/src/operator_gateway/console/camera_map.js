// The map of cameras: regions and marks as SVG, without tiles of anybody else. Moved by mouse, touch
// and keys; each view asks the gateway once, and an older answer is dropped.

import { get, isAbort } from "./api.js";
import { drawMark, marksOf, SIGNS, STATUSES, svg } from "./camera_marks.js";
import { h } from "./dom.js";
import { count } from "./formats.js";
import { Frame, project, unproject } from "./mercator.js";
import { language, refusalText, t } from "./texts.js";

const ZOOM_MIN = 3, ZOOM_MAX = 21;
// From here on the register answers single cameras at their own places.
const STREET_ZOOM = 16;
const SINGLES_MAX = 500;
const ASK_AFTER_MILLISECONDS = 120;
const WHEEL_STEP = 80, KEY_STEP = 90, CLICK_PIXELS = 4;
// Outlines are two kilometres from the borders: closer they would mislead.
const OUTLINES_ZOOM_MAX = 12, NAMES_ZOOM = [4, 11];
const LETTER_PIXELS = 7, LINE_PIXELS = 16;
// The country, until it is known where its regions are.
const COUNTRY = { south: 40.5, west: 46.4, north: 55.5, east: 87.4 };
// Cameras this near each other are not told apart by zooming.
const SAME_PLACE_DEGREES = 2e-5;
const STEPS = [1, 2, 5];

export class CameraMap {
  // `filters()` gives the query, `onpick(camera_id)` opens a camera, `onplace(box)` shows those of a place.
  constructor({ view, filters, onpick, onplace }) {
    Object.assign(this, { view, filters, onpick, onplace, clusters: [], regions: [], chosen: "", wheel: 0 });
    this.shapes = svg("g", { class: "regions" });
    this.names = svg("g", { class: "names", "aria-hidden": "true" });
    this.marks = svg("g", { class: "marks" });
    this.picture = svg("svg", { class: "picture", role: "group", tabindex: 0, "aria-label": t("map.label") }, this.shapes, this.names, this.marks);
    this.told = h("span", { class: "soft small", role: "status" });
    this.scaleBar = h("div", { class: "scale" });
    this.failure = h("div", { class: "failure", role: "alert", hidden: true });
    const button = (sign, label, act) => h("button", { type: "button", "aria-label": label, title: label, onclick: act }, sign);
    this.element = h("section", { class: "card map", "aria-label": t("map.label") },
      h("div", { class: "ground" }, this.picture, this.failure, this.scaleBar, h("div", { class: "steps" },
        button("+", t("map.closer"), () => this.zoom(1)), button("−", t("map.farther"), () => this.zoom(-1)),
        button("⌂", t("map.whole"), () => this.whole()))),
      h("div", { class: "legend small" }, STATUSES.map((name) =>
        h("span", {}, h("span", { class: `key ${name}`, "aria-hidden": "true" }, SIGNS[name]), t(name))), h("span", { class: "grow" }), this.told));
    this.frame = new Frame({ centre: { x: 0.5, y: 0.5 }, zoom: ZOOM_MIN, width: 800, height: 480 });
    this.listen();
  }

  listen() {
    const { picture, view } = this;
    const sized = new ResizeObserver(() => this.measure());
    sized.observe(picture);
    view.onleave(() => { sized.disconnect(); clearTimeout(this.waiting); this.asking?.abort(); });
    picture.addEventListener("wheel", (event) => this.onwheel(event), { passive: false });
    picture.addEventListener("pointerdown", (event) => this.ondown(event));
    picture.addEventListener("dblclick", (event) => this.zoom(1, this.pointOf(event)));
    picture.addEventListener("keydown", (event) => this.onkey(event));
  }

  pointOf(event) {
    const { left, top } = this.picture.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  measure() {
    const { width, height } = this.picture.getBoundingClientRect();
    if (!width || !height) return;
    const first = !this.measured;
    this.measured = true;
    this.frame = this.frame.with({ width, height });
    if (first && this.wanted) this.fit(this.wanted); else if (first) this.whole(); else this.go(this.frame);
  }

  // All of a box in degrees; before the map has its size, as soon as it has one.
  fit({ south, west, north, east }, zoomMax = ZOOM_MAX) {
    this.wanted = { south, west, north, east };
    if (!this.measured) return;
    const min = project({ latitude: north, longitude: west }), max = project({ latitude: south, longitude: east });
    this.go(this.frame.fitting(min, max, zoomMax));
  }

  whole() { this.fit(this.country ?? COUNTRY); }

  // All of these regions; none: the whole country.
  showRegions(codes) {
    const regions = this.regions.filter(({ code }) => codes.includes(code));
    if (regions.length) this.fit(boxOf(regions)); else this.whole();
  }

  showPlace(place) {
    if (!this.measured) return;
    this.go(this.frame.with({ centre: project(place), zoom: Math.max(Math.round(this.frame.zoom), STREET_ZOOM) }));
  }

  zoom(by, at) {
    const zoom = Math.max(ZOOM_MIN, Math.min(ZOOM_MAX, Math.round(this.frame.zoom) + by));
    if (zoom !== this.frame.zoom) this.go(this.frame.zoomed(zoom, at));
  }

  go(frame) {
    this.frame = frame;
    this.draw();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.ask(), ASK_AFTER_MILLISECONDS);
  }

  onwheel(event) {
    event.preventDefault();
    this.wheel += event.deltaMode ? event.deltaY * 30 : event.deltaY;
    if (Math.abs(this.wheel) < WHEEL_STEP) return;
    this.zoom(this.wheel < 0 ? 1 : -1, this.pointOf(event));
    this.wheel = 0;
  }

  ondown(event) {
    if (event.button) return;
    const from = this.pointOf(event), start = this.frame;
    let moved = false;
    const move = (now) => {
      const to = this.pointOf(now);
      moved ||= Math.hypot(to.x - from.x, to.y - from.y) > CLICK_PIXELS;
      if (!moved) return;
      // Only now: a captured pointer's click would not reach the mark under it.
      this.picture.setPointerCapture(event.pointerId);
      this.go(start.moved(to.x - from.x, to.y - from.y));
    };
    const end = () => {
      this.picture.removeEventListener("pointermove", move);
      for (const kind of ["pointerup", "pointercancel"]) this.picture.removeEventListener(kind, end);
    };
    this.picture.addEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"]) this.picture.addEventListener(kind, end);
  }

  // Arrows move the map; on a mark they go to the next one, Enter opens it, Escape goes back.
  onkey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const onMark = event.target.closest(".pin");
    const step = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.code];
    const act = onMark && step ? () => this.nextMark(onMark, step[0] + step[1] < 0 ? 1 : -1)
      : step ? () => this.go(this.frame.moved(step[0] * KEY_STEP, step[1] * KEY_STEP))
        : { "+": () => this.zoom(1), "=": () => this.zoom(1), "-": () => this.zoom(-1),
          Enter: () => this.marks.firstElementChild?.focus(), Escape: () => this.picture.focus() }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  nextMark(mark, by) {
    const all = [...this.marks.children];
    all[(all.indexOf(mark) + by + all.length) % all.length].focus();
  }

  setRegions(regions) {
    this.regions = regions;
    this.country = boxOf(regions);
    // Cities lie upon the regions around them.
    const ordered = [...regions].sort((one, other) => one.city - other.city);
    this.shapes.replaceChildren(...ordered.map(({ code, rings }) => svg("path", { "data-code": code, d: rings.map(pathOf).join("") })));
    if (this.measured) this.draw();
  }

  // The view again, with the filters of now.
  async ask() {
    if (!this.measured) return;
    this.asking?.abort();
    const { signal } = this.asking = new AbortController(), asked = this.frame;
    const query = new URLSearchParams({ ...asked.box, zoom: Math.round(asked.zoom), singles_max: SINGLES_MAX, ...this.filters() });
    this.picture.setAttribute("aria-busy", "true");
    try {
      const { clusters } = await get(`/v1/cameras/map?${query}`, { signal });
      if (signal.aborted) return;
      this.clusters = clusters;
      this.failed(null);
      this.draw();
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      if (error.status === 401) this.view.failed(error); else this.failed(error);
    }
    this.picture.removeAttribute("aria-busy");
  }

  // What was drawn stays, and is said to be old.
  failed(error) {
    this.failure.hidden = !error;
    this.element.classList.toggle("old", Boolean(error));
    if (error) this.failure.replaceChildren(h("span", {}, refusalText(error)), h("button", { type: "button", onclick: () => this.ask() }, t("retry")));
  }

  choose(cameraId) { this.chosen = cameraId; this.draw(); }

  pick(mark) {
    const same = mark.count > 1 && Math.max(mark.north - mark.south, mark.east - mark.west) < SAME_PLACE_DEGREES;
    if (mark.camera_id) this.onpick(mark.camera_id, mark);
    else if (this.frame.zoom >= ZOOM_MAX || (same && this.frame.zoom >= STREET_ZOOM)) this.onplace(around(this.frame, mark));
    else this.go(this.frame.with({ centre: project(mark), zoom: Math.min(ZOOM_MAX, Math.round(this.frame.zoom) + 2) }));
  }

  draw() {
    const { frame, picture } = this, focused = this.marks.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    picture.setAttribute("data-zoom", frame.zoom.toFixed(1));
    const zero = frame.toScreen({ x: 0, y: 0 });
    this.shapes.setAttribute("transform", `translate(${zero.x} ${zero.y}) scale(${frame.scale})`);
    this.element.classList.toggle("near", frame.zoom > OUTLINES_ZOOM_MAX);
    this.drawNames();
    const seen = ({ at }) => at.x > -30 && at.y > -30 && at.x < frame.width + 30 && at.y < frame.height + 30;
    const marks = marksOf(this.clusters, frame).filter(seen);
    this.marks.replaceChildren(...marks.map((mark) => drawMark(mark, {
      chosen: Boolean(this.chosen) && mark.ids.includes(this.chosen), pick: (picked) => this.pick(picked) })));
    this.marks.firstElementChild?.setAttribute("tabindex", 0);
    if (focused !== null) (this.marks.querySelector(`[data-id="${focused}"]`) ?? picture).focus();
    const all = this.clusters.reduce((sum, cluster) => sum + cluster.count, 0);
    this.told.textContent = all ? `${t("map.shown")}: ${count(all)}` : t("map.none");
    this.drawScale();
  }

  drawNames() {
    const { frame } = this, [least, most] = NAMES_ZOOM;
    if (frame.zoom < least || frame.zoom > most) { this.names.replaceChildren(); return; }
    // The larger first; a name that would be written over another is left out.
    const placed = [];
    const isFree = (one) => placed.every((other) => Math.abs(one.y - other.y) > LINE_PIXELS
      || Math.abs(one.x - other.x) > (one.text.length + other.text.length) / 2 * LETTER_PIXELS);
    for (const region of [...this.regions].sort((one, other) => one.city - other.city)) {
      const [longitude, latitude] = region.label;
      const name = { ...frame.toScreen(project({ latitude, longitude })), text: shortName(region[language()]) };
      if (isFree(name)) placed.push(name);
    }
    this.names.replaceChildren(...placed.map(({ x, y, text }) => svg("text", { x: x.toFixed(1), y: y.toFixed(1) }, text)));
  }

  // A length of 1, 2 or 5 times a power of ten.
  drawScale() {
    const most = this.frame.metresAPixel * 120, power = 10 ** Math.floor(Math.log10(most));
    const metres = Math.max(...STEPS.map((step) => step * power).filter((length) => length <= most));
    this.scaleBar.style.width = `${Math.round(metres / this.frame.metresAPixel)}px`;
    this.scaleBar.textContent = metres >= 1000 ? `${count(metres / 1000)} ${t("km")}` : `${count(metres)} ${t("metres")}`;
  }
}

const shortName = (name) => name.replace(/^область | область$| облысы$| Region$/i, "");
const pathOf = (ring) => `M${ring.map(([longitude, latitude]) => {
  const { x, y } = project({ latitude, longitude });
  return `${x.toFixed(6)} ${y.toFixed(6)}`;
}).join("L")}Z`;

function boxOf(regions) {
  const points = regions.flatMap(({ rings }) => rings.flat());
  const longitudes = points.map(([longitude]) => longitude), latitudes = points.map(([, latitude]) => latitude);
  return { south: Math.min(...latitudes), west: Math.min(...longitudes), north: Math.max(...latitudes), east: Math.max(...longitudes) };
}

// What a mark covers, and a little more.
function around(frame, mark) {
  const { longitude, latitude } = unproject(frame.toWorld({ x: mark.at.x - 9, y: mark.at.y + 9 }));
  const other = unproject(frame.toWorld({ x: mark.at.x + 9, y: mark.at.y - 9 }));
  return { south: Math.min(mark.south, latitude), west: Math.min(mark.west, longitude),
    north: Math.max(mark.north, other.latitude), east: Math.max(mark.east, other.longitude) };
}
