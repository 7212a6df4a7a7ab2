// What everybody must know before trusting a date or an amount, on each page, also before sign-in; and
// the moment that the services live in, which a trial may have moved.

import { open } from "./api.js";
import { h } from "./dom.js";
import { language } from "./texts.js";

const LOOK_AGAIN_MILLISECONDS = 10 * 60_000;
let ahead = 0, notices = [];

// Deadlines are counted by the services' clock, not by that of this machine.
export const meshNow = () => Date.now() + ahead;

export function drawNotices() {
  const place = document.getElementById("notices");
  place.hidden = !notices.length;
  place.replaceChildren(...notices.map((notice) => h("p", { class: "banner", "data-code": notice.code }, notice[language()])));
}

async function look() {
  try {
    const told = await open("/v1/notices");
    notices = told.notices;
    ahead = Date.parse(told.now) - Date.now();
    drawNotices();
  } catch { /* what was known stays; the next look is not far */ }
}

export async function watchNotices() {
  setInterval(look, LOOK_AGAIN_MILLISECONDS);
  await look();
}
