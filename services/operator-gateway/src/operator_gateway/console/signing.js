// The officer's signature, made here: the key is read from a file of the officer's and never sent.

const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

// From the files that the officer picked: a PEM private key (PKCS 8) and a PEM certificate, in one
// file or two. Throws "key" or "certificate" where it is missing.
export async function readSigner(files) {
  const text = (await Promise.all([...files].map((file) => file.text()))).join("\n");
  const key = text.match(/-----BEGIN PRIVATE KEY-----([^-]+)-----END PRIVATE KEY-----/);
  const certificate = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/);
  if (!key) throw new Error("key");
  if (!certificate) throw new Error("certificate");
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const bytes = fromBase64(key[1].replace(/\s+/g, ""));
  const signer = await crypto.subtle.importKey("pkcs8", bytes, algorithm, false, ["sign"]);
  return { key: signer, certificate: btoa(certificate[0] + "\n") };
}

// The body of a decision over the prepared bytes, which `checked` held against the screen.
export async function signed(signer, bytes, decisionId) {
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const raw = new Uint8Array(await crypto.subtle.sign(algorithm, signer.key, bytes));
  return {
    decision_id: decisionId, canonical: toBase64(bytes), signature: toBase64(der(raw)),
    certificate: signer.certificate,
  };
}

// r and s side by side, as browsers give them, into the DER sequence of two integers.
export function der(raw) {
  const parts = [integer(raw.subarray(0, 32)), integer(raw.subarray(32))];
  return Uint8Array.from([0x30, parts[0].length + parts[1].length, ...parts[0], ...parts[1]]);
}

function integer(bytes) {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const value = [...bytes.subarray(start)];
  if (value[0] & 0x80) value.unshift(0);
  return [0x02, value.length, ...value];
}
