// Small pieces that every view is made of. Text goes in as text, never as markup.

export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const state = (sign, text, ...more) =>
  h("div", { class: "state" }, h("span", { class: "sign", "aria-hidden": "true" }, sign), text, ...more);

export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return h("dl", { class: "facts" }, shown.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

let hiding;
export function notify(text, bad = false) {
  const notice = document.getElementById("notice");
  notice.textContent = text;
  notice.className = bad ? "shown bad" : "shown";
  clearTimeout(hiding);
  hiding = setTimeout(() => { notice.className = ""; }, bad ? 8000 : 3500);
}

// Asks in a dialog; answers the values of its fields, or null. Enter sends, except in a long text.
export function ask(title, fields, { send, cancel }) {
  const dialog = document.getElementById("ask");
  return new Promise((resolve) => {
    let answer = null;
    const inputs = fields.map(({ label, long, value = "" }) => {
      const input = h(long ? "textarea" : "input", { maxLength: long ? 4000 : 100 });
      input.value = value;
      return [label, input];
    });
    const finish = () => { answer = inputs.map(([, input]) => input.value.trim()); dialog.close(); };
    dialog.onkeydown = (event) => {
      event.stopPropagation();
      const sends = event.key === "Enter" && (event.ctrlKey || event.target.tagName === "INPUT");
      if (sends) { event.preventDefault(); finish(); }
    };
    dialog.onclose = () => resolve(answer);
    dialog.replaceChildren(h("div", { class: "stack" },
      h("h1", {}, title),
      inputs.map(([label, input]) => h("label", { class: "stack" }, label, input)),
      h("div", { class: "end" },
        h("button", { onclick: () => dialog.close() }, cancel, " ", h("kbd", {}, "Esc")),
        h("button", { class: "main", onclick: finish }, send, " ", h("kbd", {}, "Ctrl+⏎")))));
    dialog.showModal();
    inputs[0]?.[1].focus();
  });
}
