// Calls of the gateway with the operator's token; a refusal is thrown with its reason and fields.

import { language } from "./texts.js";

const KEPT = "tartip.session";
export class Refused extends Error {
  constructor(status, told) {
    super(told.title ?? String(status));
    this.status = status;
    this.reason = told.reason ?? String(status);
    this.fields = told.errors ?? [];
  }
}

let session = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
export const currentSession = () => session;

export function keepSession(next) {
  session = next;
  if (next) sessionStorage.setItem(KEPT, JSON.stringify(next));
  else sessionStorage.removeItem(KEPT);
}

async function read(answer) {
  if (answer.ok) return answer;
  let told = {};
  try { told = await answer.json(); } catch { /* not a problem document: the status must do */ }
  throw new Refused(answer.status, told);
}

export async function open(path) {
  return (await read(await fetch(path, { headers: { "Accept-Language": language() } }))).json();
}

export async function developmentToken(operator) {
  const answer = await fetch("/v1/sign-in/development", {
    method: "POST", body: JSON.stringify({ operator }),
    headers: { "Content-Type": "application/json", "Accept-Language": language() },
  });
  return (await read(answer)).json();
}

export async function me(token) {
  const headers = { Authorization: `Bearer ${token}`, "Accept-Language": language() };
  return (await read(await fetch("/v1/me", { headers }))).json();
}

async function freshToken() {
  if (session?.development && session.token_expires_at * 1000 - Date.now() < 60_000) {
    const token = (await developmentToken(session.operator)).access_token;
    keepSession({ ...session, ...(await me(token)), token });
  }
  return session?.token ?? "";
}

async function send(method, path, { body, purpose } = {}) {
  const headers = { Authorization: `Bearer ${await freshToken()}`, "Accept-Language": language() };
  if (purpose) headers["Tartip-Purpose"] = purpose;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const content = body === undefined ? undefined : JSON.stringify(body);
  return read(await fetch(path, { method, headers, body: content }));
}

export const get = async (path, purpose) => (await send("GET", path, { purpose })).json();
export const post = async (path, body, purpose) => (await send("POST", path, { body, purpose })).json();
export const blob = async (path, purpose) => (await send("GET", path, { purpose })).blob();

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
