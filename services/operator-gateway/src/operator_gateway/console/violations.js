// The review queue, by keyboard alone: j and k move, c confirms, r rejects.

import { blob, get, newId, post } from "./api.js";
import { ask, facts, h, notify, state } from "./dom.js";
import { readSigner, signed } from "./signing.js";
import { moment, t } from "./texts.js";

const PURPOSE = "violation-review";
let signer = null;
export const forgetSigner = () => { signer = null; };

export async function violationsView(view) {
  let rows = [], next = "", paused = "", chosen = 0, deciding = false;
  const list = h("ul", { class: "list card", role: "listbox", tabIndex: 0, "aria-label": t("tab.violations") });
  const detail = h("section", { class: "card" });

  async function load(token = "") {
    const page = await get(`/v1/violations?state=review&page_size=50&page_token=${encodeURIComponent(token)}`, PURPOSE);
    rows = token ? [...rows, ...page.violations] : page.violations;
    next = page.next_page_token;
    paused = page.paused_since ? `${t("queue.paused")} ${moment(page.paused_since)} · ${page.held_reads}` : "";
    chosen = Math.min(chosen, Math.max(0, rows.length - 1));
    draw();
    await show();
  }

  function draw() {
    list.replaceChildren(...rows.map((row, at) => h("li", {
      class: "row", role: "option", "aria-selected": String(at === chosen), onclick: () => move(at - chosen),
    },
      h("div", { class: "top" }, h("strong", {}, headline(row)), h("span", { class: "tag" }, row.offence?.article || "")),
      h("div", { class: "small soft" }, `${moment(row.occurred_at)} · ${row.place?.region ?? ""}`),
      row.hold_reason ? h("span", { class: "tag warn" }, row.hold_reason) : null,
      row.caution ? h("span", { class: "tag warn" }, t(`caution.${row.caution}`)) : null)));
    if (next) list.append(h("li", { class: "row" }, h("button", { onclick: () => view.guard(() => load(next)) }, t("more"))));
    if (!rows.length) list.replaceChildren(state("✓", t("queue.empty")));
    if (paused) list.prepend(h("li", { class: "row", role: "note" }, h("span", { class: "tag warn" }, paused)));
    list.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  async function move(by) {
    chosen = Math.max(0, Math.min(rows.length - 1, chosen + by));
    draw();
    await view.guard(show);
  }

  async function show() {
    const id = rows[chosen]?.violation_id;
    if (!id) { detail.replaceChildren(state("☰", t("pick"))); return; }
    const { violation } = await get(`/v1/violations/${id}`, PURPOSE);
    if (rows[chosen]?.violation_id !== id || !view.shown()) return;
    const pictures = h("div", { class: "evidence alone" }, state("…", t("loading")));
    detail.replaceChildren(pictures, about(violation), buttons());
    await picture(pictures, violation).catch((error) =>
      pictures.replaceChildren(state("⚠", `${t("evidence.none")} ${error.message}`)));
  }

  const keyPicker = h("input", {
    type: "file", multiple: true, hidden: true, accept: ".pem,.key",
    onchange: async (event) => {
      try { signer = await readSigner(event.target.files); notify(t("key.ready")); }
      catch { signer = null; notify(t("key.wrong"), true); }
      drawKey();
    },
  });
  const keyButton = h("button", { title: t("key.stays"), onclick: () => keyPicker.click() });
  const drawKey = () => keyButton.replaceChildren(`${signer ? "✓ " : ""}${t(signer ? "key.ready" : "key.choose")}`);

  const buttons = () => h("div", { class: "decide" },
    h("button", { class: "main", onclick: () => decide("confirm") }, t("confirm"), " ", h("kbd", {}, "c")),
    h("button", { class: "danger", onclick: () => decide("reject") }, t("reject"), " ", h("kbd", {}, "r")),
    h("span", { class: "soft small" }, t("key.stays")));

  async function decide(verdict) {
    const violation = rows[chosen];
    if (!violation || deciding) return;
    if (!signer) { notify(t("key.needed"), true); keyButton.focus(); return; }
    let reason = "";
    if (verdict === "reject") {
      const answer = await ask(t("reject"), [{ label: t("reason"), long: true }], { send: t("reject"), cancel: t("cancel") });
      if (!answer) return;
      [reason] = answer;
    }
    deciding = true;
    try {
      const base = `/v1/violations/${violation.violation_id}`;
      const { canonical } = await post(`${base}/decision/prepare`, { verdict, reason }, PURPOSE);
      await post(`${base}/${verdict}`, await signed(signer, canonical, newId()), PURPOSE);
      notify(t(verdict === "confirm" ? "confirmed" : "rejected"));
      rows = rows.filter((row) => row !== violation);
      chosen = Math.min(chosen, Math.max(0, rows.length - 1));
      draw();
    } catch (error) {
      view.failed(error);
      return;
    } finally { deciding = false; }
    await view.guard(show);
  }

  view.keys = { j: () => move(1), k: () => move(-1), c: () => decide("confirm"), r: () => decide("reject") };
  drawKey();
  await load();
  return [
    h("div", { class: "bar" },
      h("h1", {}, t("tab.violations")), h("span", { class: "grow" }),
      h("span", { class: "soft small" }, h("kbd", {}, "j"), " ", h("kbd", {}, "k"), ` ${t("move")} `,
        h("kbd", {}, "c"), ` ${t("confirm")} `, h("kbd", {}, "r"), ` ${t("reject")}`),
      keyButton, keyPicker, h("button", { onclick: () => view.guard(() => load()) }, t("refresh"))),
    h("div", { class: "split" }, list, detail),
  ];
}

// A list carries no plates: reading one is audited, so it begins with opening the case.
const headline = (row) => row.over_kmh != null ? `+${row.over_kmh} ${t("kmh")}`
  : row.offence?.code === "RED_LIGHT" ? t("red_light") : row.offence?.code ?? "";
const plate = (row) => h("span", { class: "plate" }, row.plate?.text || "—");

function about(violation) {
  const { readings, device, offence, plate: read } = violation;
  const speed = readings?.speed_kmh != null ? `${readings.speed_kmh} ${t("kmh")} (${t("limit")} ${readings.speed_limit_kmh ?? "?"})` : "";
  const signal = readings?.signal_phase
    ? `${t(`phase.${readings.signal_phase}`)}${readings.signal_age_seconds != null ? `, ${readings.signal_age_seconds} s` : ""}` : "";
  const verification = device?.verification_number
    ? `${device.verification_number} → ${moment(device.verification_until)}` : "";
  return h("div", {},
    violation.hold_reason ? h("div", { class: "hold" }, `${t("hold")}: ${violation.hold_reason}`) : null,
    violation.caution ? h("div", { class: "hold" }, t(`caution.${violation.caution}`)) : null,
    facts([
      [t("plate"), h("span", {}, plate(violation), " ", h("span", { class: "soft small" },
        read ? `${read.country || "?"} · ${t("confidence")} ${Math.round(read.confidence * 100)} %` : ""))],
      [t("rule"), offence ? `${offence.article} (${offence.code})` : ""],
      [t("over"), violation.over_kmh != null ? `${violation.over_kmh} ${t("kmh")}` : ""],
      [t("speed"), speed],
      [t("signal"), signal],
      [t("when"), moment(violation.occurred_at)],
      [t("where"), [violation.place?.region, violation.place?.address].filter(Boolean).join(", ")],
      [t("camera"), h("span", { class: "mono" }, violation.camera_id)],
      [t("device"), [device?.name, device?.serial].filter(Boolean).join(", ")],
      [t("verification"), verification],
      [t("source"), violation.source ? t(`source.${violation.source}`) : ""],
      [t("rules"), offence?.rules_version],
      [t("story"), h("span", { class: "mono" }, violation.story)],
    ]));
}

async function picture(place, violation) {
  const [sha] = violation.evidence_sha256;
  if (!sha) { place.replaceChildren(state("◌", t("evidence.none"))); return; }
  const image = await createImageBitmap(await blob(`/v1/violations/${violation.violation_id}/evidence/${sha}`, PURPOSE));
  const box = violation.plate?.box;
  const whole = h("canvas", { width: image.width, height: image.height, role: "img", "aria-label": violation.plate?.text ?? "" });
  const pen = whole.getContext("2d");
  pen.drawImage(image, 0, 0);
  if (!box?.width) { place.replaceChildren(whole); return; }
  pen.strokeStyle = "#f2b705";
  pen.lineWidth = Math.max(2, image.width / 300);
  pen.strokeRect(box.x, box.y, box.width, box.height);
  const close = h("canvas", { width: 360, height: 150, role: "img", "aria-label": t("plate") });
  const [wide, tall] = [box.width * 1.3, Math.max(box.height * 1.5, box.width * 1.3 * 150 / 360)];
  close.getContext("2d").drawImage(image, box.x + box.width / 2 - wide / 2, box.y + box.height / 2 - tall / 2,
    wide, tall, 0, 0, 360, 150);
  place.className = "evidence";
  place.replaceChildren(whole, h("div", { class: "stack" }, close, h("div", {}, plate(violation))));
}
