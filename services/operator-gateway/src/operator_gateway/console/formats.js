// How moments, spans, counts and sums are written.

import { language, t } from "./texts.js";

// Kazakh figures are written as Russian ones; many browsers know no Kazakh and would show "M11".
const LOCALES = { kk: "ru-KZ", ru: "ru-KZ", en: "en-GB" };
export const moment = (text) => text ? new Intl.DateTimeFormat(LOCALES[language()], {
  day: "2-digit", month: "2-digit", year: "numeric", hour: "2-digit", minute: "2-digit",
  timeZone: "Asia/Almaty",
}).format(new Date(text)) : "";
export const fullMoment = (text) => text ? `${moment(text)}:${String(new Date(text).getUTCSeconds()).padStart(2, "0")}` : "";
export const clock = (text) => new Intl.DateTimeFormat(LOCALES[language()], {
  timeStyle: "medium", timeZone: "Asia/Almaty",
}).format(new Date(text));
export const count = (number) => new Intl.NumberFormat(LOCALES[language()]).format(number);
export const sum = (money) => money ? new Intl.NumberFormat(LOCALES[language()], {
  style: "currency", currency: money.currency || "KZT", currencyDisplay: "narrowSymbol",
  maximumFractionDigits: money.amount_minor % 100 ? 2 : 0,
}).format(money.amount_minor / 100) : "";

// "2 d 3 h" of a span in milliseconds, two units at most; seconds where it is less than a minute.
export function span(milliseconds) {
  const minutes = Math.floor(Math.abs(milliseconds) / 60_000);
  if (!minutes) return `${Math.round(Math.abs(milliseconds) / 1000)} ${t("seconds")}`;
  const units = { kk: ["күн", "сағ", "мин"], ru: ["дн", "ч", "мин"], en: ["d", "h", "min"] }[language()];
  const parts = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
  const first = parts.findIndex((part) => part > 0);
  return parts.slice(first, first + 2).map((part, at) => `${part} ${units[first + at]}`).join(" ");
}
