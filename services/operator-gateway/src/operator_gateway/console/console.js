// The shell: sign-in, tabs, keys, and what every view does while it loads or fails.

import { currentSession, developmentToken, isAbort, keepSession, me, open } from "./api.js";
import { camerasView } from "./cameras.js";
import { forgetDrafts } from "./dialog.js";
import { h, notify, state } from "./dom.js";
import { emergencies } from "./emergencies.js";
import { feed } from "./feed.js";
import { finesView } from "./figures.js";
import { keyHint, listenToKeys, showKeys } from "./keys.js";
import { liveView } from "./live.js";
import { drawNotices, watchNotices } from "./notices.js";
import { forgetPurposes } from "./purpose.js";
import { reportsView } from "./reports.js";
import { alarm } from "./sound.js";
import { chooseLanguage, language, refusalText, t } from "./texts.js";
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
  constructor(name) { this.name = name; this.keys = {}; this.leaving = []; }
  shown() { return current === this; }
  onleave(run) { this.leaving.push(run); }
  on(target, kind, run) {
    target.addEventListener(kind, run);
    this.onleave(() => target.removeEventListener(kind, run));
  }
  every(milliseconds, run) {
    const timer = setInterval(run, milliseconds);
    this.onleave(() => clearInterval(timer));
  }
  // `hear` gets each fact whose subject begins so, and null where facts may have been missed.
  follow(prefix, hear) {
    this.onleave(feed.subscribe((kind, detail) => {
      if (kind === "fact" && detail.subject.startsWith(prefix)) hear(detail);
      if (["gap", "dropped"].includes(kind) || (kind === "ready" && !detail)) hear(null);
    }));
  }
  // Runs at once; asked again meanwhile, once more afterwards.
  oneAtATime(run) {
    let running = false, again = false;
    const go = async () => {
      if (running) { again = true; return; }
      running = true;
      await this.guard(run);
      running = false;
      if (again && this.shown()) { again = false; go(); }
    };
    return go;
  }
  keysHint() {
    return h("button", { class: "keys", type: "button", onclick: () => showKeys(this.keys) },
      keyHint("KeyJ"), " ", keyHint("KeyK"), ` ${t("move")} `, h("kbd", {}, "?"), ` ${t("keys.help")}`);
  }
  leave() { this.leaving.forEach((run) => run()); }
  again() { show(this.name); }
  async guard(run) { try { await run(); } catch (error) { this.failed(error); } }
  failed(error) {
    if (isAbort(error) || !this.shown()) return;
    if (error.status === 401) { signOut(t("sign.again")); return; }
    notify(refusalText(error), true);
  }
}

const tabsOf = (session) => Object.keys(TABS).filter((name) => {
  const roles = TABS[name][1];
  return !roles || roles.some((role) => session.roles.includes(role));
});

const failure = (title, error, again) => h("div", { class: "card narrow" },
  h("h1", {}, title), h("div", { class: "state failed", role: "alert" },
    h("span", { class: "sign", "aria-hidden": "true" }, "⚠"), h("p", {}, refusalText(error)),
    h("button", { onclick: again }, t("retry"))));

async function show(name) {
  current?.leave();
  const view = current = new View(name);
  history.replaceState(null, "", `#${name}`);
  drawHeader();
  main.replaceChildren(h("h1", { class: "unseen" }, t(`tab.${name}`)), state("…", t("loading")));
  try {
    const parts = await TABS[name][0](view);
    if (view.shown()) main.replaceChildren(...parts);
  } catch (error) {
    if (!view.shown() || isAbort(error)) return;
    if (error.status === 401) { signOut(t("sign.again")); return; }
    main.replaceChildren(failure(t(`tab.${name}`), error, () => view.again()));
  }
}

function drawHeader() {
  const session = currentSession();
  document.documentElement.lang = language();
  document.getElementById("language").value = language();
  document.getElementById("skip").textContent = t("skip");
  const out = document.getElementById("sign-out");
  out.hidden = !session;
  out.textContent = t("sign.out");
  document.getElementById("who").replaceChildren(...(session
    ? [h("b", {}, session.name), h("br"), `${session.roles.map((role) => t(`role.${role}`)).join(", ")} · ${session.regions.join(", ")}`] : []));
  document.getElementById("tabs").replaceChildren(...(session ? tabsOf(session) : []).map((name, at) =>
    h("button", { "aria-current": current?.name === name ? "page" : null, onclick: () => show(name) },
      t(`tab.${name}`), " ", h("kbd", {}, String(at + 1)))));
  drawAlarm();
  drawNotices();
}

// How many emergencies call, and whether they may be heard.
function drawAlarm() {
  const session = currentSession(), place = document.getElementById("alarm");
  place.hidden = !session || !tabsOf(session).includes("reports") || !emergencies.leave;
  if (place.hidden) return;
  const { count } = emergencies, sound = alarm.state;
  place.replaceChildren(
    h("button", { class: count ? "calling" : "", type: "button", onclick: () => show("reports") }, `${t("emergencies")}: ${count}`),
    h("button", { class: `sound ${sound}`, type: "button", "aria-pressed": String(sound !== "off"), onclick: () => alarm.toggle() },
      h("span", { "aria-hidden": "true" }, sound === "off" ? "○" : "♪"), ` ${t(`sound.${sound}`)}`));
}

function signOut(why = "") {
  current?.leave();
  current = null;
  emergencies.stop();
  feed.stop();
  history.replaceState(null, "", location.pathname);
  keepSession(null);
  forgetSigner();
  // What was typed stays for the operator whose session merely ran out; by name it is found again.
  if (!why) { forgetPurposes(); forgetDrafts(); }
  document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
  drawHeader();
  signIn(why);
}

async function signIn(why = "") {
  main.replaceChildren(h("h1", { class: "unseen" }, t("sign.title")), state("…", t("loading")));
  let ways;
  try { ways = await open("/v1/sign-in"); } catch (error) {
    main.replaceChildren(failure(t("sign.title"), error, () => signIn(why)));
    return;
  }
  const field = ways.development
    ? h("select", { id: "operator" }, ways.operators.map((one) =>
      h("option", { value: one.id }, `${one.name} — ${one.roles.map((role) => t(`role.${role}`)).join(", ")} (${one.regions.join(", ")})`)))
    : h("input", { id: "operator", type: "password", autocomplete: "off" });
  const enter = async () => {
    try {
      const token = ways.development ? (await developmentToken(field.value)).access_token : field.value.trim();
      keepSession({ ...(await me(token)), token, development: ways.development });
      begin();
    } catch (error) { notify(refusalText(error), true); }
  };
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") enter(); });
  main.replaceChildren(h("div", { class: "card narrow stack" },
    h("h1", {}, t("sign.title")),
    why ? h("div", { class: "hold", role: "alert" }, why) : null,
    h("label", { for: "operator" }, t(ways.development ? "sign.operator" : "sign.token")), field,
    h("button", { class: "main", onclick: enter }, t("sign.in")),
    h("p", { class: "soft small" }, t(ways.development ? "sign.development" : "sign.elsewhere"))));
  field.focus();
}

function begin() {
  const session = currentSession();
  if (!session) { drawHeader(); signIn(); return; }
  alarm.arm();
  emergencies.start();
  feed.start();
  const wanted = location.hash.slice(1), tabs = tabsOf(session);
  show(tabs.includes(wanted) ? wanted : tabs[0]);
}

feed.subscribe((kind) => {
  if (kind === "refused") signOut(t("sign.again"));
  const banner = document.getElementById("feed-lost");
  banner.hidden = kind !== "lost";
  banner.textContent = t("live.lost");
});
emergencies.subscribe(drawAlarm);
alarm.addEventListener("change", drawAlarm);
listenToKeys(() => current?.keys ?? {}, (number) => {
  const name = currentSession() && tabsOf(currentSession())[number - 1];
  return name ? { run: () => show(name) } : null;
});
document.getElementById("language").addEventListener("change", (event) => {
  chooseLanguage(event.target.value);
  event.target.blur();
  const session = currentSession();
  if (!session) { drawHeader(); signIn(); } else show(current?.name ?? tabsOf(session)[0]);
});
document.getElementById("sign-out").addEventListener("click", () => signOut());
// Deadlines are counted by the services' moment; a gateway that does not answer is waited for no longer.
await Promise.race([watchNotices(), new Promise((goOn) => setTimeout(goOn, 2000))]);
begin();
