// Pictures and films of a case: fetched with the purpose, held against the hash that is shown and
// signed, and only then put on the screen.

import { blob } from "./api.js";
import { h } from "./dom.js";
import { refusalText, t } from "./texts.js";

// Where the evidence of a case lies; the one place that knows.
export const violationEvidencePath = (violation, sha256) => `/v1/violations/${violation.violation_id}/evidence/${sha256}`;
export const reportMediaPath = (report, media, { blurred, frame }) => {
  const asked = new URLSearchParams({ ...(blurred && { blurred }), ...(frame && { first_frame: frame }) });
  return `/v1/reports/${report.report_id}/media/${media.media_id}${asked.size ? `?${asked}` : ""}`;
};

// The bytes that came are not those of the hash, or no picture.
class EvidenceDiffers extends Error {}
class EvidenceUnreadable extends Error {}

export function evidenceText(error) {
  if (error instanceof EvidenceDiffers) return t("evidence.differs");
  return error instanceof EvidenceUnreadable ? t("evidence.unreadable") : `${t("evidence.failed")} ${refusalText(error)}`;
}

export async function sha256Of(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// { bitmap } of a picture, { film } or { sound } with its bytes; `sha256` is what must lie there, ""
// where it is not known (media from before operators were shown a form of their own).
export async function loadEvidence(path, sha256, { purpose, signal }) {
  const content = await blob(path, { purpose, signal });
  if (sha256 && await sha256Of(await content.arrayBuffer()) !== sha256) throw new EvidenceDiffers();
  signal?.throwIfAborted();
  if (content.type.startsWith("video/")) return { film: content };
  if (content.type.startsWith("audio/")) return { sound: content };
  try { return { bitmap: await createImageBitmap(content) }; } catch { throw new EvidenceUnreadable(); }
}

// A film to look at for as long as `signal` holds; drawn again, it gets an address of its own again.
export function drawFilm(film, signal) {
  return played("video", film, signal);
}

// A voice message to listen to, as drawFilm.
export function drawSound(sound, signal) {
  return played("audio", sound, signal);
}

function played(element, content, signal) {
  const src = URL.createObjectURL(content);
  signal?.addEventListener("abort", () => URL.revokeObjectURL(src));
  return h(element, { src, controls: true, "aria-label": t("evidence") });
}
