// The live feed: facts as they happen, ids only, over one EventSource with a single-use ticket.

import { post } from "./api.js";
import { h, state } from "./dom.js";
import { clock, t } from "./texts.js";

const KEPT_ROWS = 200;

export async function liveView(view) {
  let source = null, lastId = "", waiting = null;
  const body = h("tbody");
  const place = h("div", { class: "card table" }, state("…", t("live.empty")));
  const dot = h("span", { class: "dot" });
  const status = h("span", { class: "soft small" }, dot, t("live.off"));
  const tell = (on) => {
    status.replaceChildren(dot, t(on ? "live.on" : "live.off"));
    dot.className = on ? "dot good" : "dot bad";
  };

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

  // A ticket opens one stream: after a break a new one is asked for, and the feed resumes.
  async function connect() {
    if (!view.shown()) return;
    try {
      const { ticket } = await post("/v1/events/tickets", undefined);
      const query = new URLSearchParams({ ticket, ...(lastId ? { resume_after: lastId } : {}) });
      source = new EventSource(`/v1/events?${query}`);
    } catch (error) {
      tell(false);
      if (error.status === 401) { view.failed(error); return; }
      waiting = setTimeout(connect, 3000);
      return;
    }
    source.onopen = () => tell(true);
    source.onerror = () => { source.close(); tell(false); waiting = setTimeout(connect, 2000); };
    source.addEventListener("expired", source.onerror);
    source.addEventListener("dropped", (event) => note(`${t("live.missed")}: ${JSON.parse(event.data).missed}`));
    source.addEventListener("gap", () => note(t("live.gap")));
    source.addEventListener("fact", (event) => {
      lastId = event.lastEventId;
      const fact = JSON.parse(event.data);
      add(h("td", {}, clock(fact.at)), h("td", {}, h("span", { class: "tag", title: fact.subject }, t(`live.${fact.subject}`))), h("td", {}, fact.region),
        h("td", { class: "mono" }, fact.id), h("td", { class: "mono soft" }, fact.story.slice(0, 16)));
    });
  }

  view.onleave = () => { clearTimeout(waiting); source?.close(); };
  setTimeout(connect, 0);
  return [h("div", { class: "bar" }, h("h1", {}, t("tab.live")), status), place];
}
