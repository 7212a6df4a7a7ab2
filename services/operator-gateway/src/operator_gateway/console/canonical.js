// The bytes that an officer signs, held against what the officer sees. Every field of them is compared
// and one that this page does not know is a difference, too: nobody signs what was not shown.

const TYPE = "tartip-violation-decision-v1";

// A difference between what is shown and what would be signed: [{ field, shown, signed }, …].
export class Differs extends Error {
  constructor(differences) {
    super(differences.map(({ field }) => field).join(", "));
    this.differences = differences;
  }
}

const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const hexOf = (base64) => [...fromBase64(base64)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// RFC 8785, whose numbers and strings are those of JSON.stringify.
export function canonicalText(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (value && typeof value === "object") {
    const pairs = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonicalText(value[key])}`);
    return `{${pairs.join(",")}}`;
  }
  return JSON.stringify(value);
}

// A moment as "2026-11-28T01:02:03.000004Z", however many digits its seconds were given with.
export function micros(text) {
  if (!text) return "";
  const parts = text.match(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:Z|\+00:00)$/);
  return parts ? `${parts[1]}.${(parts[2] ?? "").padEnd(6, "0")}Z` : text;
}

// What the bytes must say of the violation as it is shown, field by field.
export function expected(violation, { verdict, reason, officer }) {
  const { readings, device, offence, place, plate } = violation;
  return {
    type: TYPE,
    violation_id: violation.violation_id,
    version: violation.version,
    verdict, reason, officer,
    source: violation.source ?? "",
    camera_id: violation.camera_id,
    report_id: violation.report_id,
    region: place?.region ?? "",
    occurred_at: micros(violation.occurred_at),
    plate: plate?.text ?? "",
    "offence.code": offence?.code ?? "",
    "offence.article": offence?.article ?? "",
    "offence.rules_version": offence?.rules_version ?? "",
    "offence.rules_sha256": offence?.rules_sha256 ?? "",
    over_kmh: violation.over_kmh,
    ...(readings ? expectedReadings(readings) : { readings: {} }),
    ...(device ? expectedDevice(device) : { device: {} }),
    evidence_sha256: violation.evidence_sha256,
    original_sha256: violation.original_sha256,
    models_fingerprint: violation.models_fingerprint,
    ...(place ? expectedPlace(place) : {}),
    ...(violation.caution ? { caution: violation.caution } : {}),
    ...(violation.conflicting_violation_ids.length ? { conflicting_violation_ids: violation.conflicting_violation_ids } : {}),
  };
}

const expectedPlace = ({ latitude, longitude, address }) => ({
  "place.latitude": latitude, "place.longitude": longitude, "place.address": address,
});

const expectedReadings = (readings) => ({
  "readings.device_serial": readings.device_serial,
  "readings.device_time": micros(readings.device_time),
  "readings.counter": String(readings.counter),
  "readings.frame_sha256": hexOf(readings.frame_sha256),
  "readings.speed_kmh": readings.speed_kmh,
  "readings.speed_limit_kmh": readings.speed_limit_kmh,
  "readings.signal_phase": readings.signal_phase ?? "",
  "readings.signal_age_seconds": readings.signal_age_seconds,
  "readings.past_stop_line": readings.past_stop_line,
});

const expectedDevice = (device) => ({
  "device.name": device.name,
  "device.serial": device.serial,
  "device.certificate_number": device.certificate_number,
  "device.verification_number": device.verification_number,
  "device.verification_from": micros(device.verification_from),
  "device.verification_until": micros(device.verification_until),
  "device.kind": device.kind ?? "",
  "device.tolerance_kmh": device.tolerance_kmh,
});

// One level of nesting becomes "readings.speed_kmh"; empty objects stay.
function flat(value) {
  return Object.fromEntries(Object.entries(value).flatMap(([name, inner]) =>
    inner && typeof inner === "object" && !Array.isArray(inner) && Object.keys(inner).length
      ? Object.entries(inner).map(([sub, leaf]) => [`${name}.${sub}`, leaf]) : [[name, inner]]));
}

function signedValue(name, value) {
  if (name === "over_kmh") return value === "" ? null : Number(value);
  return name.endsWith("_at") || name.endsWith("_time") || name.startsWith("device.verification_f")
    || name.startsWith("device.verification_u") ? micros(value) : value;
}

// Answers the bytes where they say exactly what is shown. Throws Differs, naming each field.
export function checked(canonical, violation, decision) {
  const bytes = fromBase64(canonical);
  let signed;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    signed = JSON.parse(text);
    // Another spelling of the same, such as a name that stands twice, could say more than was read here.
    if (!signed || typeof signed !== "object" || canonicalText(signed) !== text) throw new SyntaxError("not canonical");
  } catch { throw new Differs([{ field: "form", shown: TYPE, signed: "" }]); }
  const wanted = expected(violation, decision), found = flat(signed);
  const differences = [...new Set([...Object.keys(wanted), ...Object.keys(found)])].flatMap((field) => {
    const shown = wanted[field] ?? null, said = signedValue(field, found[field] ?? null) ?? null;
    return canonicalText(shown) === canonicalText(said) ? [] : [{ field, shown, signed: said }];
  });
  if (differences.length) throw new Differs(differences);
  return bytes;
}
