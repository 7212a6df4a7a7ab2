// Marks on the map of cameras: a ring of statuses around a number, or one camera with the sign of its
// status. What lies too near to each other on the screen is one mark.

import { count } from "./formats.js";
import { project } from "./mercator.js";
import { code, t } from "./texts.js";

export const STATUSES = ["online", "degraded", "tampered", "offline", "unknown"];
export const SIGNS = { online: "✓", degraded: "!", tampered: "✂", offline: "✕", unknown: "?", retired: "–" };
const TOO_NEAR_PIXELS = 17;

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// The clusters of an answer, with those joined that are drawn over each other; the largest first.
export function marksOf(clusters, frame) {
  const marks = [], near = new Map();
  const sorted = [...clusters].sort((one, other) => other.count - one.count || one.camera_id.localeCompare(other.camera_id));
  for (const cluster of sorted) {
    const at = frame.toScreen(project(cluster));
    const column = Math.floor(at.x / TOO_NEAR_PIXELS), row = Math.floor(at.y / TOO_NEAR_PIXELS);
    const around = [-1, 0, 1].flatMap((x) => [-1, 0, 1].map((y) => near.get(`${column + x}:${row + y}`)));
    const held = around.find((mark) => mark && Math.hypot(mark.at.x - at.x, mark.at.y - at.y) < TOO_NEAR_PIXELS);
    if (held) { join(held, cluster); continue; }
    const mark = { ...cluster, ids: [cluster.camera_id], at, south: cluster.latitude, north: cluster.latitude, west: cluster.longitude, east: cluster.longitude };
    marks.push(mark);
    near.set(`${column}:${row}`, mark);
  }
  return marks;
}

function join(mark, cluster) {
  for (const name of ["count", ...STATUSES]) mark[name] += cluster[name];
  mark.ids.push(cluster.camera_id);
  mark.camera_id = "";
  mark.kind = null;
  mark.south = Math.min(mark.south, cluster.latitude);
  mark.north = Math.max(mark.north, cluster.latitude);
  mark.west = Math.min(mark.west, cluster.longitude);
  mark.east = Math.max(mark.east, cluster.longitude);
}

export const statusOf = (mark) => STATUSES.find((name) => mark[name]) ?? "unknown";
const radiusOf = (mark) => mark.camera_id ? 10 : 13 + Math.min(15, 3.4 * Math.log10(mark.count));
const short = (number) => number < 10_000 ? count(number)
  : `${count(Math.round(number / (number < 100_000 ? 100 : 1000)) / (number < 100_000 ? 10 : 1))}${t("map.thousand")}`;

function nameOf(mark) {
  if (mark.camera_id) return [t("camera"), t(statusOf(mark)), code("kind", mark.kind)].filter(Boolean).join(", ");
  const parts = STATUSES.filter((name) => mark[name]).map((name) => `${t(name)} ${count(mark[name])}`);
  return `${t("map.cameras")}: ${count(mark.count)}. ${parts.join(", ")}`;
}

// `pick(mark)` opens it.
export function drawMark(mark, { chosen, pick }) {
  const radius = radiusOf(mark), one = Boolean(mark.camera_id);
  const inside = one
    ? [svg("circle", { r: radius, class: `fill ${statusOf(mark)}` }), svg("text", { class: "sign" }, SIGNS[statusOf(mark)])]
    : [svg("circle", { r: radius, class: "disc" }), ...ring(mark, radius), svg("text", {}, short(mark.count))];
  return svg("g", {
    class: `pin ${one ? "one" : "many"}${chosen ? " chosen" : ""}`, role: "button", tabindex: -1,
    transform: `translate(${mark.at.x.toFixed(1)} ${mark.at.y.toFixed(1)})`, "aria-label": nameOf(mark),
    "data-count": mark.count, "data-id": mark.camera_id || null,
    onclick: () => pick(mark),
    onkeydown: (event) => { if (["Enter", "Space"].includes(event.code)) { event.preventDefault(); event.stopPropagation(); pick(mark); } },
  }, svg("title", {}, nameOf(mark)), ...inside);
}

// An arc for each status, clockwise from above.
function ring(mark, radius) {
  let before = 0;
  return STATUSES.filter((name) => mark[name]).map((name) => {
    const arc = svg("circle", { r: radius, class: `arc ${name}`, pathLength: mark.count, transform: "rotate(-90)",
      "stroke-dasharray": `${mark[name]} ${mark.count - mark[name]}`, "stroke-dashoffset": -before });
    before += mark[name];
    return arc;
  });
}
