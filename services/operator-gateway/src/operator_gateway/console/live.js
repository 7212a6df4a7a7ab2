// The live feed as a table: facts as they happen, ids only.

import { feed } from "./feed.js";
import { h, state } from "./dom.js";
import { clock } from "./formats.js";
import { t } from "./texts.js";

const KEPT_ROWS = 200;

export async function liveView(view) {
  const body = h("tbody");
  const place = h("div", { class: "card table", tabIndex: 0, role: "region", "aria-label": t("tab.live") }, state("…", t("live.empty")));
  const status = h("span", { class: "soft small", role: "status" });
  const tell = () => status.replaceChildren(
    h("span", { class: `dot ${feed.connected ? "good" : "bad"}` }), t(feed.connected ? "live.on" : "live.off"));

  function add(...cells) {
    if (!body.isConnected) {
      place.replaceChildren(h("table", {}, h("thead", {}, h("tr", {},
        ["when", "event", "region", "id", "story"].map((name) => h("th", {}, t(name))))), body));
    }
    body.prepend(h("tr", {}, cells));
    while (body.children.length > KEPT_ROWS) body.lastChild.remove();
  }

  function note(text) {
    add(h("td", {}, clock(Date.now())), h("td", { colspan: "4" }, h("span", { class: "tag warn" }, text)));
  }

  function addFact(fact) {
    add(h("td", {}, clock(fact.at)), h("td", {}, h("span", { class: "tag", title: fact.subject }, t(`live.${fact.subject}`))),
      h("td", {}, fact.region), h("td", { class: "mono" }, fact.id), h("td", { class: "mono soft" }, fact.story.slice(0, 16)));
  }

  view.onleave(feed.subscribe((kind, detail) => {
    tell();
    if (kind === "fact") addFact(detail);
    if (kind === "dropped") note(`${t("live.missed")}: ${detail}`);
    if (kind === "gap") note(t("live.gap"));
  }));
  tell();
  return [h("div", { class: "bar" }, h("h1", {}, t("tab.live")), status), place];
}
