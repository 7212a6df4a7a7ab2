// A camera as it is now, and what it was before.

import { get } from "./api.js";
import { facts, h, visible, written } from "./dom.js";
import { fullMoment, moment } from "./formats.js";
import { code, fieldName, t } from "./texts.js";

const VERSIONS = 20;
export const LOUD = { online: "good", degraded: "warn", tampered: "bad", offline: "bad" };

export const statusTag = (status) => h("span", { class: `tag ${LOUD[status] ?? ""}` }, t(status ?? "unknown"));

// The camera with the newest of its versions.
export async function loadCamera(cameraId, signal) {
  const path = `/v1/cameras/${encodeURIComponent(cameraId)}`;
  const [{ camera }, history] = await Promise.all([get(path, { signal }), get(`${path}/versions?page_size=${VERSIONS}`, { signal })]);
  return { camera, history };
}

// `regionName(code)` says a region in words; `close` and `show` (on the map) are buttons' acts.
export function drawCamera({ camera, history }, { view, regionName, close, show }) {
  const { description } = camera, place = description?.place;
  return [
    h("div", { class: "bar" }, h("h2", { class: "title" }, written(description?.name || camera.camera_id)), statusTag(camera.status),
      h("span", { class: "grow" }), place ? h("button", { type: "button", onclick: () => show(place) }, t("map.show")) : null,
      h("button", { type: "button", onclick: close, "aria-label": t("close") }, "✕")),
    h("p", { class: "soft small asof" }, standing(camera)),
    facts([...whatItIs(camera, regionName), ...whoRunsIt(camera)]),
    h("h3", {}, t("history")), versions(camera, history, view),
  ];
}

function standing({ status_as_of, status_reason, status_source }) {
  return [
    status_as_of ? `${t("as.of")} ${fullMoment(status_as_of)}` : "",
    status_reason ? `${t("reason").toLowerCase()}: ${code("because", status_reason)}` : "",
    status_source ? `${t("status.source").toLowerCase()}: ${code("source", status_source)}` : "",
  ].filter(Boolean).join(" · ");
}

function whatItIs({ description }, regionName) {
  if (!description) return [];
  const { place, bases } = description;
  const basisOf = (name) => bases.find((basis) => basis.function === name)?.basis;
  return [
    [t("kind"), code("kind", description.kind)],
    [t("region"), place && regionName(place.region)],
    [t("address"), place?.address && written(place.address)],
    [t("position"), place && `${place.latitude.toFixed(5)}, ${place.longitude.toFixed(5)}`],
    [t("functions"), description.functions.map((name) => h("div", {}, code("ai", name),
      basisOf(name) ? h("span", { class: "soft" }, ` (${t("basis")}: ${basisOf(name)})`) : null))],
    [t("site"), description.site && h("span", {}, written(description.site),
      description.site_category ? h("span", { class: "soft" }, ` (${code("site", description.site_category)})`) : null)],
    [t("device"), [description.make, description.model].filter(Boolean).join(" ")],
    [t("serial"), h("span", { class: "mono" }, description.serial)],
    [t("verifications"), description.verifications.map((one) =>
      h("div", {}, `${one.number} · ${moment(one.valid_from).slice(0, 10)} – ${moment(one.valid_until).slice(0, 10)}`))],
  ];
}

function whoRunsIt(camera) {
  const { description } = camera;
  return [
    // The IIN of a person is not asked for here: that needs a purpose.
    [t("owner"), description?.owner_is_person ? t("owner.person") : ""], [t("owner.bin"), description?.owner_bin], [t("operator.bin"), description?.operator_bin],
    [t("centre"), description && [t(description.connected ? "centre.yes" : "centre.no"), visible(description.control_centre)].filter(Boolean).join(": ")],
    [t("hub"), description?.hub_id && h("span", { class: "mono" }, description.hub_id)],
    [t("registered.at"), moment(camera.registered_at)], [t("retired.at"), moment(camera.retired_at)],
    [t("reason"), camera.retired_reason && written(camera.retired_reason)],
    [t("merged.into"), camera.merged_into && h("span", { class: "mono" }, camera.merged_into)],
    [t("id"), h("span", { class: "mono" }, camera.camera_id)],
  ];
}

function versions(camera, history, view) {
  const list = h("ol", { class: "versions" }), after = h("div", { class: "after" });
  const put = ({ versions: found, next_page_token: next }) => {
    list.append(...found.map(version));
    const more = async () => put(await get(
      `/v1/cameras/${encodeURIComponent(camera.camera_id)}/versions?${new URLSearchParams({ page_size: VERSIONS, page_token: next })}`));
    after.replaceChildren(...(next ? [h("button", { type: "button", onclick: () => view.guard(more) }, t("more"))] : []));
  };
  put(history);
  return h("div", {}, list, after);
}

function version({ version: number, held_from, changed }) {
  const what = changed.length ? changed.map(fieldName).join(", ") : t(number === 1 ? "history.first" : "history.same");
  return h("li", { value: number }, h("b", {}, `${t("version")} ${number}`), h("span", { class: "soft" },
    held_from ? ` ${t("history.since").replace("{}", moment(held_from))}` : "", " · "), what);
}
