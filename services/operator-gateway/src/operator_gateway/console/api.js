// Calls of the gateway with the operator's token; a refusal is thrown with its reason and fields.

import { language } from "./texts.js";

const KEPT = "tartip.session";
// What was shown is not what there is any more: it must be read again before anything else is done.
const OUTDATED = new Set([
  "VIOLATION_ALREADY_DECIDED", "VIOLATION_NOT_CONFIRMED", "VIOLATION_CHANGED_MEANWHILE",
  "DECISION_NOT_PREPARED", "REPORT_CHANGED_MEANWHILE", "STATUS_NOT_ALLOWED",
  "TEMPLATE_CHANGED_MEANWHILE", "ANSWER_WAITING",
]);

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.title ?? String(status));
    this.status = status;
    this.reason = problem.reason ?? String(status);
    this.fields = problem.errors ?? [];
    this.facts = problem.facts ?? {};
  }

  get outdates() { return OUTDATED.has(this.reason); }
}
// Nobody answered.
export class Away extends Error {
  constructor(cause) {
    super("away", { cause });
    this.isAway = true;
  }
}
// Given up because something else was chosen: nobody waits for the answer.
export const isAbort = (error) => error?.name === "AbortError";

let session = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
export const currentSession = () => session;

export function keepSession(next) {
  session = next;
  if (next) sessionStorage.setItem(KEPT, JSON.stringify(next));
  else sessionStorage.removeItem(KEPT);
}

async function call(path, options) {
  try { return await fetch(path, options); } catch (error) { throw isAbort(error) ? error : new Away(error); }
}

async function read(answer) {
  if (answer.ok) return answer;
  let problem = {};
  try { problem = await answer.json(); } catch { /* not a problem document: the status must do */ }
  throw new Refused(answer.status, problem);
}

export async function open(path) {
  return (await read(await call(path, { headers: { "Accept-Language": language() } }))).json();
}

export async function developmentToken(operator) {
  const answer = await call("/v1/sign-in/development", {
    method: "POST", body: JSON.stringify({ operator }),
    headers: { "Content-Type": "application/json", "Accept-Language": language() },
  });
  return (await read(answer)).json();
}

export async function me(token) {
  const headers = { Authorization: `Bearer ${token}`, "Accept-Language": language() };
  return (await read(await call("/v1/me", { headers }))).json();
}

async function freshToken() {
  if (session?.development && session.token_expires_at * 1000 - Date.now() < 60_000) {
    const token = (await developmentToken(session.operator)).access_token;
    keepSession({ ...session, ...(await me(token)), token });
  }
  return session?.token ?? "";
}

async function send(method, path, { body, purpose, signal } = {}) {
  const headers = { Authorization: `Bearer ${await freshToken()}`, "Accept-Language": language() };
  // A header holds ASCII alone: a purpose in any script travels percent-encoded.
  if (purpose) headers["Tartip-Purpose"] = encodeURIComponent(purpose);
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const content = body === undefined ? undefined : JSON.stringify(body);
  return read(await call(path, { method, headers, body: content, signal }));
}

// The whole of an answer, "json" or "blob"; one that breaks off is none.
async function whole(answer, form) {
  try { return await answer[form](); } catch (error) { throw isAbort(error) ? error : new Away(error); }
}

export const get = async (path, options) => whole(await send("GET", path, options), "json");
export const post = async (path, body, purpose, signal) => whole(await send("POST", path, { body, purpose, signal }), "json");
export const blob = async (path, options) => whole(await send("GET", path, options), "blob");

// UUIDv7: 48 bits of time, then chance.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let time = Date.now();
  for (let i = 5; i >= 0; i--) { bytes[i] = time % 256; time = Math.floor(time / 256); }
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
