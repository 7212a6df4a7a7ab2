// The shell: sign-in, tabs, keys, and what every view does while it loads or fails.

import { currentSession, developmentToken, keepSession, me, open, Refused } from "./api.js";
import { h, notify, state } from "./dom.js";
import { camerasView, finesView } from "./figures.js";
import { liveView } from "./live.js";
import { reportsView } from "./reports.js";
import { chooseLanguage, language, t } from "./texts.js";
import { forgetSigner, violationsView } from "./violations.js";

// Which tabs a role begins with; what it may see is decided by the owners of the data.
const TABS = {
  violations: [violationsView, ["inspector", "supervisor"]],
  reports: [reportsView, ["dispatcher", "supervisor", "internal_security"]],
  fines: [finesView, ["inspector", "supervisor", "finance"]],
  cameras: [camerasView, null],
  live: [liveView, null],
};
const main = document.getElementById("main");
let current = null;

class View {
  constructor(name) { this.name = name; this.keys = {}; this.timers = []; this.onleave = () => {}; }
  shown() { return current === this; }
  every(milliseconds, run) { this.timers.push(setInterval(run, milliseconds)); }
  leave() { this.timers.forEach(clearInterval); this.onleave(); }
  again() { show(this.name); }
  async guard(run) { try { await run(); } catch (error) { this.failed(error); } }
  failed(error) {
    if (error.status === 401) { signOut(t("sign.again")); return; }
    notify(told(error), true);
  }
}

function told(error) {
  if (!(error instanceof Refused)) return t("away");
  const fields = error.fields.map((one) => `${one.field}: ${one.description}`).join("; ");
  return `${error.message} [${error.reason}]${fields ? ` ${fields}` : ""}`;
}

const tabsOf = (session) => Object.keys(TABS).filter((name) => {
  const roles = TABS[name][1];
  return !roles || roles.some((role) => session.roles.includes(role));
});

async function show(name) {
  current?.leave();
  const view = current = new View(name);
  history.replaceState(null, "", `#${name}`);
  drawHeader();
  main.replaceChildren(state("…", t("loading")));
  try {
    const parts = await TABS[name][0](view);
    if (view.shown()) main.replaceChildren(...parts);
  } catch (error) {
    if (!view.shown()) return;
    if (error.status === 401) { signOut(t("sign.again")); return; }
    main.replaceChildren(h("div", { class: "card" }, h("div", { class: "state failed" },
      h("span", { class: "sign" }, "⚠"), h("p", {}, told(error)),
      h("button", { onclick: () => view.again() }, t("retry")))));
  }
}

function drawHeader() {
  const session = currentSession();
  document.documentElement.lang = language();
  document.getElementById("language").value = language();
  const out = document.getElementById("sign-out");
  out.hidden = !session;
  out.textContent = t("sign.out");
  document.getElementById("who").replaceChildren(...(session
    ? [h("b", {}, session.name), h("br"), `${session.roles.join(", ")} · ${session.regions.join(", ")}`] : []));
  document.getElementById("tabs").replaceChildren(...(session ? tabsOf(session) : []).map((name, at) =>
    h("button", { "aria-current": current?.name === name ? "page" : null, onclick: () => show(name) },
      t(`tab.${name}`), " ", h("kbd", {}, String(at + 1)))));
}

function signOut(why = "") {
  current?.leave();
  current = null;
  history.replaceState(null, "", location.pathname);
  keepSession(null);
  forgetSigner();
  drawHeader();
  signIn(why);
}

async function signIn(why = "") {
  main.replaceChildren(state("…", t("loading")));
  let ways;
  try { ways = await open("/v1/sign-in"); } catch (error) {
    main.replaceChildren(h("div", { class: "card narrow" }, h("div", { class: "state failed" },
      h("span", { class: "sign" }, "⚠"), h("p", {}, told(error)),
      h("button", { onclick: () => signIn(why) }, t("retry")))));
    return;
  }
  const field = ways.development
    ? h("select", { id: "operator" }, ways.operators.map((one) =>
      h("option", { value: one.id }, `${one.name} — ${one.roles.join(", ")} (${one.regions.join(", ")})`)))
    : h("input", { id: "operator", type: "password", autocomplete: "off" });
  const enter = async () => {
    try {
      const token = ways.development ? (await developmentToken(field.value)).access_token : field.value.trim();
      keepSession({ ...(await me(token)), token, development: ways.development });
      begin();
    } catch (error) { notify(told(error), true); }
  };
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") enter(); });
  main.replaceChildren(h("div", { class: "card narrow stack" },
    h("h1", {}, t("sign.title")),
    why ? h("div", { class: "hold" }, why) : null,
    h("label", { for: "operator" }, t(ways.development ? "sign.operator" : "sign.token")), field,
    h("button", { class: "main", onclick: enter }, t("sign.in")),
    h("p", { class: "soft small" }, t(ways.development ? "sign.development" : "sign.elsewhere"))));
  field.focus();
}

function begin() {
  const session = currentSession();
  if (!session) { drawHeader(); signIn(); return; }
  const wanted = location.hash.slice(1), tabs = tabsOf(session);
  show(tabs.includes(wanted) ? wanted : tabs[0]);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName)) return;
  const session = currentSession();
  const tab = session && tabsOf(session)[Number(event.key) - 1];
  if (tab) { show(tab); return; }
  const act = current?.keys[event.key];
  if (act) { event.preventDefault(); act(); }
});
document.getElementById("language").addEventListener("change", (event) => {
  chooseLanguage(event.target.value);
  event.target.blur();
  begin();
});
document.getElementById("sign-out").addEventListener("click", () => signOut());
begin();
