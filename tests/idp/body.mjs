// Request bodies of the routes that are not oidc-provider's.

/** No form or command of ours is larger. */
const LIMIT_BYTES = 64 * 1024;

/** The whole body as text. */
export async function readText(req) {
  const parts = [];
  let size = 0;
  for await (const part of req) {
    size += part.length;
    if (size > LIMIT_BYTES) throw new Error('the body is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The fields of a form. */
export async function readForm(req) {
  return Object.fromEntries(new URLSearchParams(await readText(req)));
}

/** A JSON object; an empty body is an empty one. */
export async function readJson(req) {
  const text = await readText(req);
  return text.trim() === '' ? {} : JSON.parse(text);
}
