// The OpenAPI document as a page: one entry a call, with its parameters, body and answer.

import { h, state } from "./dom.js";

const main = document.getElementById("main");
const named = (schema) => schema?.$ref?.split("/").pop() ?? schema?.title ?? schema?.type ?? "";

function parameters(call) {
  const rows = (call.parameters ?? []).map((one) => h("tr", {},
    h("td", { class: "mono" }, one.name + (one.required ? " *" : "")), h("td", {}, one.in),
    h("td", {}, one.description ?? one.schema?.description ?? "")));
  return rows.length ? h("table", {}, h("tbody", {}, rows)) : null;
}

function fields(schema, all) {
  const found = all[named(schema)];
  if (!found?.properties) return null;
  return h("table", {}, h("tbody", {}, Object.entries(found.properties).map(([name, property]) => {
    const parts = [property, ...(property.anyOf ?? [])].map((one) => one.$ref ? named(one) : one.type).filter(Boolean);
    return h("tr", {}, h("td", { class: "mono" }, name), h("td", {}, parts.join(" | ")), h("td", {}, property.description ?? ""));
  })));
}

try {
  const api = await (await fetch("/v1/openapi.json")).json();
  const all = api.components?.schemas ?? {};
  main.append(h("p", { class: "soft" }, api.info.description));
  for (const [path, calls] of Object.entries(api.paths)) {
    for (const [method, call] of Object.entries(calls)) {
      const body = call.requestBody?.content?.["application/json"]?.schema;
      const answer = Object.entries(call.responses).find(([status]) => status.startsWith("2"));
      const shape = answer?.[1].content?.["application/json"]?.schema;
      main.append(h("details", { class: "card endpoint" },
        h("summary", {}, h("b", {}, method.toUpperCase()), " ", h("span", { class: "mono" }, path)),
        h("p", {}, call.description ?? ""), parameters(call),
        body ? h("h2", {}, `Body: ${named(body)}`) : null, body ? fields(body, all) : null,
        shape ? h("h2", {}, `Answer ${answer[0]}: ${named(shape)}`) : null, shape ? fields(shape, all) : null));
    }
  }
} catch (error) {
  main.append(state("⚠", String(error)));
}
