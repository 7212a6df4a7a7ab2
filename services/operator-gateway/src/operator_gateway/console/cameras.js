// The cameras: their numbers, the map, a list to search, and the open one.

import { currentSession, get } from "./api.js";
import { drawCamera, loadCamera, statusTag } from "./camera_card.js";
import { CameraMap } from "./camera_map.js";
import { STATUSES } from "./camera_marks.js";
import { h, state, visible } from "./dom.js";
import { count, fullMoment } from "./formats.js";
import { CasePanel, failedState } from "./panel.js";
import { Queue } from "./queue.js";
import { code, language, t } from "./texts.js";

const NUMBERS = ["registered", "connected", "with_ai", ...STATUSES];
const KINDS = ["overview", "face", "anpr", "speed_point", "speed_section", "red_light", "body", "drone"];
const FOLLOW_MILLISECONDS = 15_000, TYPED_MILLISECONDS = 300;

export async function camerasView(view) {
  const page = new Cameras(view);
  view.guard(() => page.begin());
  return page.elements();
}

class Cameras {
  constructor(view) {
    this.view = view;
    this.wanted = { text: "", region: "", status: "", kind: "" };
    this.place = null;
    this.regions = new Map();
    this.numbers = h("div", { class: "numbers" }, state("…", t("loading")));
    this.byRegion = h("div", { class: "card table", hidden: true });
    this.regionChoice = this.choice("region", t("all.regions"), []);
    this.panel = new CasePanel({
      view, idOf: ({ camera }) => camera.camera_id, versionOf: ({ camera }) => camera.version, allow: async () => true,
      load: loadCamera, label: t("cameras.card"), listed: false,
      draw: (_, whole) => drawCamera(whole, { view, regionName: (region) => this.regionName(region),
        close: () => this.panel.close(), show: (place) => this.map.showPlace(place) }),
    });
    this.queue = new Queue({
      view, panel: this.panel, label: t("cameras.list"), idOf: (camera) => camera.camera_id,
      groups: { rest: h("div", { role: "group", "aria-label": t("cameras.list") }) },
      headline: nameOf, drawRow: (camera) => this.drawRow(camera), fetchPage: (token, signal) => this.fetchPage(token, signal),
      empty: () => t("cameras.none"),
    });
    this.map = new CameraMap({ view, filters: () => given(this.wanted, ["status", "kind"]),
      onpick: (cameraId) => this.panel.open(cameraId, { headline: "" }), onplace: (box) => this.only(box) });
    const drawn = this.panel.onchange;
    this.panel.onchange = () => { drawn(); this.onopen(); };
    this.search = h("input", { type: "search", placeholder: t("cameras.search"), "aria-label": t("cameras.search"), maxLength: 200,
      oninput: () => { clearTimeout(this.typing); this.typing = setTimeout(() => this.find(), TYPED_MILLISECONDS); } });
    view.keys = {
      KeyJ: { label: t("key.next"), run: () => this.queue.move(1), held: true },
      KeyK: { label: t("key.previous"), run: () => this.queue.move(-1), held: true },
      Slash: { label: t("find"), run: () => this.search.focus() },
    };
    this.follow();
    this.onopen();
  }

  // Statuses change by thousands: what was heard of is read again a few times a minute at most.
  follow() {
    let heard = false;
    this.view.follow("cameras.v1.", () => { heard = true; });
    this.view.every(FOLLOW_MILLISECONDS, () => { if (heard) { heard = false; this.refresh(); } });
    this.view.onleave(() => clearTimeout(this.typing));
  }

  async begin() {
    await Promise.all([this.readRegions(), this.count(), this.queue.restart().catch((error) => this.sad(error))]);
  }

  // What failed says so in its own place, and the rest goes on; a session that ended ends them all.
  sad(error) { if (error.status === 401) this.view.failed(error); }

  async readRegions() {
    try {
      const { regions } = await get("/v1/cameras/map/regions");
      this.regions = new Map(regions.map((region) => [region.code, region]));
      const own = currentSession().regions, ownOnes = regions.filter(({ code: value }) => own.includes(value));
      this.map.setRegions(regions);
      this.map.showRegions(own);
      const sorted = (ownOnes.length ? ownOnes : regions).map(({ code: value }) => [value, this.regionName(value)]).sort(([, one], [, other]) => one.localeCompare(other, language()));
      this.regionChoice.append(...sorted.map(([value, name]) => h("option", { value }, name)));
      this.drawRegions();
    } catch (error) { this.sad(error); } // the map has no borders then, and codes instead of names
  }

  regionName(region) { return this.regions.get(region)?.[language()] ?? region; }

  async count() {
    try {
      const { total, regions } = await get("/v1/statistics/cameras");
      this.statistics = regions;
      this.numbers.replaceChildren(total?.registered ? h("div", { class: "tiles" }, NUMBERS.map((name) =>
        h("div", { class: `card tile ${name}` }, h("b", {}, count(total[name])), h("span", { class: "soft" }, t(name)))))
        : h("div", { class: "card" }, state("◌", t("cameras.empty"))));
      this.drawRegions();
    } catch (error) {
      this.numbers.replaceChildren(h("div", { class: "card" }, failedState(error, () => this.count())));
      this.sad(error);
    }
  }

  drawRegions() {
    const rows = this.statistics ?? [];
    this.byRegion.hidden = !rows.length;
    this.byRegion.replaceChildren(h("table", {}, h("caption", { class: "unseen" }, t("cameras.by.region")),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("region")), NUMBERS.map((name) => h("th", { scope: "col", class: "number" }, t(name))))),
      h("tbody", {}, rows.map((row) => h("tr", {}, h("td", {}, h("button", { class: "link", type: "button", onclick: () => this.goTo(row.region) }, this.regionName(row.region))),
        NUMBERS.map((name) => h("td", { class: "number" }, count(row[name]))))))));
  }

  goTo(region) {
    this.regionChoice.value = region;
    this.regionChoice.dispatchEvent(new Event("change"));
    this.map.element.scrollIntoView({ block: "nearest" });
  }

  async fetchPage(token, signal) {
    const area = this.place ?? {};
    // A place has an order of its own, and so have words.
    const order = this.place ? {} : { order: "name" };
    const query = new URLSearchParams({ page_size: 50, page_token: token, ...order, ...area, ...given(this.wanted, ["text", "region", "status", "kind"]) });
    const page = await get(`/v1/cameras?${query}`, { signal });
    return { rows: page.cameras, next: page.next_page_token };
  }

  drawRow({ status, description }) {
    return { content: [
      h("div", { class: "top" }, h("b", { class: "written", dir: "auto" }, visible(nameOf({ description }))), statusTag(status)),
      h("div", { class: "small soft written" }, [code("kind", description?.kind), visible(description?.place?.address) || this.regionName(description?.place?.region ?? "")].filter(Boolean).join(" · ")),
    ] };
  }

  onopen() {
    if (this.map.chosen !== this.panel.id) this.map.choose(this.panel.id);
    this.panel.element.hidden = !this.panel.id;
  }

  find() { this.wanted.text = this.search.value.trim(); this.list(); }
  list() { this.drawPlace(); this.view.guard(() => this.queue.restart()); }

  only(box) { this.place = box; this.list(); }

  drawPlace() {
    this.queue.notes.replaceChildren(...(this.place ? [h("button", { type: "button", class: "chip",
      onclick: () => { this.place = null; this.list(); } }, `${t("cameras.place")} ✕`)] : []));
  }

  refresh() {
    this.map.ask();
    this.count();
    this.queue.reload().catch((error) => this.sad(error));
    if (this.panel.shown()) this.panel.reload({ changed: false });
  }

  choice(name, all, options) {
    return h("select", { "aria-label": all, onchange: (event) => {
      this.wanted[name] = event.target.value;
      if (name === "region") this.map.showRegions(event.target.value ? [event.target.value] : currentSession().regions); else this.map.ask();
      this.list();
    } }, h("option", { value: "" }, all), options.map(([value, label]) => h("option", { value }, label)));
  }

  elements() {
    return [
      h("div", { class: "bar" }, h("h1", {}, t("tab.cameras")), this.search, this.regionChoice,
        this.choice("status", t("all.statuses"), STATUSES.map((name) => [name, t(name)])),
        this.choice("kind", t("all.kinds"), KINDS.map((name) => [name, code("kind", name)])),
        h("span", { class: "grow" }), this.view.keysHint(), h("button", { onclick: () => this.refresh() }, t("refresh"))),
      this.numbers,
      h("div", { class: "split cameras" }, this.queue.element, h("div", { class: "stack" }, this.map.element, this.panel.element)),
      this.byRegion,
    ];
  }
}

const nameOf = ({ description, camera_id }) => description?.name || camera_id || "";
const given = (wanted, names) => Object.fromEntries(names.filter((name) => wanted[name]).map((name) => [name, wanted[name]]));
