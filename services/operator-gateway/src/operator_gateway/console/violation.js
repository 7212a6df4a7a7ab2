// How one violation is shown: what is signed stands here, and so does all that the signature covers.

import { get, isAbort } from "./api.js";
import { facts, h, state, visible, written } from "./dom.js";
import { drawFilm, evidenceText, loadEvidence, violationEvidencePath } from "./evidence.js";
import { fullMoment, moment, span } from "./formats.js";
import { code, refusalText, t } from "./texts.js";

// A list carries no plates: reading one is audited, so it begins with opening the case.
export const headline = (row) => row.over_kmh != null ? `+${row.over_kmh} ${t("kmh")}` : code("offence", row.offence?.code);
const plateOf = (violation) => h("bdi", { class: "plate" }, visible(violation.plate?.text) || "—");
const whereOf = (violation) => [violation.place?.region, visible(violation.place?.address)].filter(Boolean).join(", ");

export function heading(violation) {
  return h("div", { class: "bar" }, h("h2", { class: "title" }, headline(violation)),
    violation.offence?.article ? h("span", { class: "tag" }, violation.offence.article) : null,
    h("span", { class: `tag ${violation.state === "review" ? "" : "good"}` }, t(`state.${violation.state}`)));
}

// Who decided it and when, where somebody has.
export function decidedBy({ decision, state: standing }) {
  if (!decision || standing === "review") return null;
  return h("div", { class: "decided", role: "status" },
    h("b", {}, t(`state.${standing}`)), ` · ${decision.officer} · ${moment(decision.decided_at)}`,
    decision.reason ? [" · ", written(decision.reason)] : null);
}

export function warnings(violation) {
  return [
    violation.hold_reason ? h("div", { class: "hold" }, `${t("hold")}: ${code("hold", violation.hold_reason)}`) : null,
    violation.caution ? h("div", { class: "hold" }, code("caution", violation.caution)) : null,
  ];
}

export function about(violation) {
  const { readings, device, offence, plate } = violation;
  return facts([
    [t("plate"), h("span", {}, plateOf(violation), " ", h("span", { class: "soft small" },
      plate ? `${plate.country || "?"} · ${t("confidence")} ${Math.round(plate.confidence * 100)} %` : ""))],
    [t("rule"), offence ? `${offence.article} (${code("offence", offence.code)})` : ""],
    [t("over"), violation.over_kmh != null ? `${violation.over_kmh} ${t("kmh")}` : ""],
    [t("speed"), speed(violation)],
    [t("signal"), signal(readings)],
    [t("when"), fullMoment(violation.occurred_at)],
    [t("where"), written(whereOf(violation))],
    [t("device"), [device?.name, device?.serial].filter(Boolean).join(", ")],
    [t("verification"), device?.verification_number ? `${device.verification_number} → ${moment(device.verification_until)}` : ""],
    [t("source"), violation.source ? t(`source.${violation.source}`) : ""],
  ]);
}

function speed({ readings, device }) {
  if (readings?.speed_kmh == null) return "";
  const tolerance = device?.tolerance_kmh == null ? "" : `, ${t("tolerance")} ${device.tolerance_kmh}`;
  return `${readings.speed_kmh} ${t("kmh")} (${t("limit")} ${readings.speed_limit_kmh ?? "?"}${tolerance})`;
}

function signal(readings) {
  if (!readings?.signal_phase) return "";
  const age = readings.signal_age_seconds != null ? `, ${readings.signal_age_seconds} ${t("seconds")}` : "";
  const line = readings.past_stop_line == null ? "" : `, ${t(readings.past_stop_line ? "line.past" : "line.before")}`;
  return `${t(`phase.${readings.signal_phase}`)}${age}${line}`;
}

// The rest of what the signature covers.
export function signedToo(violation) {
  const { readings, device, offence } = violation;
  const mono = (text) => text ? h("span", { class: "mono" }, String(text)) : "";
  return h("details", { class: "small" }, h("summary", {}, t("signed.too")), facts([
    [t("id"), mono(violation.violation_id)], [t("version"), mono(violation.version)],
    [t("evidence.hash"), violation.evidence_sha256.map((sha) => h("div", { class: "mono" }, sha))],
    [t("evidence.original"), violation.original_sha256.map((sha) => h("div", { class: "mono" }, sha))],
    [t("camera"), mono([violation.camera_id, code("kind", device?.kind)].filter(Boolean).join(" · "))],
    [t("position"), violation.place ? `${violation.place.latitude}, ${violation.place.longitude}` : ""], [t("report"), mono(violation.report_id)],
    [t("device"), mono([readings?.device_serial, readings?.counter].filter(Boolean).join(" · "))],
    [t("device.time"), readings ? fullMoment(readings.device_time) : ""],
    [t("certificate"), mono(device?.certificate_number)],
    [t("verification"), device?.verification_from ? `${moment(device.verification_from)} → ${moment(device.verification_until)}` : ""],
    [t("rules"), offence ? h("span", { class: "mono" }, `${offence.rules_version} ${offence.rules_sha256}`) : ""],
    [t("models"), mono(violation.models_fingerprint)],
    [t("story"), mono(violation.story)],
  ]));
}

// Fills `place` with all evidence of the violation, each piece held against its hash; `loaded` keeps what
// was loaded for the open case. Resolves to whether all of it stands there; says itself what does not.
export async function showEvidence(place, violation, { purpose, signal, loaded, again }) {
  if (!violation.evidence_sha256.length) {
    place.replaceChildren(state("◌", t("evidence.none")));
    return true;
  }
  place.replaceChildren(state("…", t("evidence.loading")));
  try {
    for (const sha of violation.evidence_sha256) {
      if (!loaded.has(sha)) {
        loaded.set(sha, await loadEvidence(violationEvidencePath(violation, sha), sha, { purpose, signal }));
      }
    }
    place.replaceChildren(...violation.evidence_sha256.map((sha, at) => piece(loaded.get(sha), violation, at === 0, signal)));
    return true;
  } catch (error) {
    if (isAbort(error)) return false;
    place.replaceChildren(h("div", { class: "state failed", role: "alert" },
      h("span", { class: "sign", "aria-hidden": "true" }, "⚠"), h("p", {}, evidenceText(error)), h("button", { onclick: again }, t("retry"))));
    return false;
  }
}

function piece({ bitmap, film }, violation, first, signal) {
  if (film) return drawFilm(film, signal);
  const whole = h("canvas", { width: bitmap.width, height: bitmap.height, role: "img", "aria-label": `${t("evidence")}: ${visible(violation.plate?.text)}` });
  const pen = whole.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const box = violation.plate?.box;
  if (!first || !box?.width) return whole;
  pen.strokeStyle = "#f2b705";
  pen.lineWidth = Math.max(2, bitmap.width / 300);
  pen.strokeRect(box.x, box.y, box.width, box.height);
  return h("div", { class: "evidence" }, whole, h("div", { class: "stack" }, closeUp(bitmap, box), h("div", {}, plateOf(violation))));
}

function closeUp(bitmap, box) {
  const close = h("canvas", { width: 360, height: 150, role: "img", "aria-label": t("plate") });
  const [wide, tall] = [box.width * 1.3, Math.max(box.height * 1.5, box.width * 1.3 * 150 / 360)];
  close.getContext("2d").drawImage(bitmap, box.x + box.width / 2 - wide / 2, box.y + box.height / 2 - tall / 2,
    wide, tall, 0, 0, 360, 150);
  return close;
}

// Cases that cannot stand beside this one, each with place, time and picture, and how far apart they lie.
export function conflicts(violation, { purpose, signal, open }) {
  if (!violation.conflicting_violation_ids.length) return null;
  const cards = h("div", { class: "conflicts" });
  for (const id of violation.conflicting_violation_ids) {
    const card = h("div", { class: "card" }, state("…", t("loading")));
    cards.append(card);
    get(`/v1/violations/${id}`, { purpose, signal })
      .then(({ violation: other }) => drawConflict(card, violation, other, { purpose, signal, open }))
      .catch((error) => { if (!isAbort(error)) card.replaceChildren(h("p", { class: "mono small" }, id), h("p", {}, refusalText(error))); });
  }
  return h("section", { "aria-label": t("conflicts") }, h("h3", {}, t("conflicts")), cards);
}

function drawConflict(card, violation, other, { purpose, signal, open }) {
  const place = h("div", { class: "evidence alone" });
  const apart = Math.abs(Date.parse(other.occurred_at) - Date.parse(violation.occurred_at));
  card.replaceChildren(heading(other),
    h("p", {}, h("b", {}, `${kilometres(violation.place, other.place)} ${t("km")}, ${span(apart)}`), ` ${t("apart")}`),
    place, facts([[t("plate"), plateOf(other)], [t("when"), fullMoment(other.occurred_at)], [t("where"), written(whereOf(other))]]),
    h("button", { onclick: () => open(other) }, t("open")));
  const draw = () => showEvidence(place, other, { purpose, signal, loaded: new Map(), again: draw });
  draw();
}

// Along the great circle, whole kilometres.
function kilometres(here, there) {
  if (!here || !there) return "?";
  const [a, b, c, d] = [here.latitude, here.longitude, there.latitude, there.longitude].map((degrees) => degrees * Math.PI / 180);
  const chord = Math.sin((c - a) / 2) ** 2 + Math.cos(a) * Math.cos(c) * Math.sin((d - b) / 2) ** 2;
  const distance = 12742 * Math.asin(Math.sqrt(chord));
  return distance < 10 ? distance.toFixed(1) : String(Math.round(distance));
}
