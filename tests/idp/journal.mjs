// What was asked of this server, without secrets: tests count it.

import { createHash } from 'node:crypto';

const entries = [];

/** The first 12 hexadecimal digits of SHA-256, the fingerprint that Holdfast shows too. */
export function fingerprint(token) {
  return token === undefined ? undefined : createHash('sha256').update(token).digest('hex').slice(0, 12);
}

/** Notes a request of which oidc-provider knows the parameters. */
export function noteOAuth(ctx) {
  const params = ctx.oidc?.params ?? {};
  entries.push({
    at: Date.now(),
    path: ctx.path,
    route: ctx.oidc?.route,
    client: ctx.oidc?.client?.clientId ?? params.client_id,
    grant_type: params.grant_type,
    hint: params.token_type_hint,
    token: fingerprint(params.refresh_token ?? params.token),
    outcome: ctx.status < 400 ? 'ok' : (ctx.body?.error ?? String(ctx.status)),
  });
}

/** Notes a request that never reached oidc-provider. */
export function noteFault(path, what) {
  entries.push({ at: Date.now(), path, outcome: what });
}

/** Everything since the start, or since the last `forget`. */
export function journal() {
  return entries;
}

/** Begins anew. */
export function forget() {
  entries.length = 0;
}
