// What was asked of this server, without secrets: tests count it.

import { createHash } from 'node:crypto';

const entries = [];

/** The first 12 hexadecimal digits of SHA-256, the fingerprint that Holdfast shows too. */
export function fingerprint(token) {
  return token === undefined ? undefined : createHash('sha256').update(token).digest('hex').slice(0, 12);
}

/** The routes where a client proves itself. */
const PROVEN = ['token', 'device_authorization', 'pushed_authorization_request', 'introspection', 'revocation'];

/** How the client proved itself: what it sent, whether that was right or not (OpenID Connect Core section 9). */
function clientAuthentication(ctx, params) {
  if (!PROVEN.includes(ctx.oidc?.route)) return undefined;
  if (/^basic /i.test(ctx.get('authorization'))) return 'client_secret_basic';
  if (params.client_secret) return 'client_secret_post';
  if (!params.client_assertion) return 'none';
  const header = Buffer.from(params.client_assertion.split('.')[0], 'base64url').toString('utf8');
  return header.includes('"HS') ? 'client_secret_jwt' : 'private_key_jwt';
}

/** Notes a request of which oidc-provider knows the parameters. */
export function noteOAuth(ctx) {
  const params = ctx.oidc?.params ?? {};
  entries.push({
    at: Date.now(),
    path: ctx.path,
    route: ctx.oidc?.route,
    client: ctx.oidc?.client?.clientId ?? params.client_id,
    auth: clientAuthentication(ctx, params),
    /** Whether a DPoP proof came along. */
    dpop: ctx.get('dpop') !== '' || undefined,
    grant_type: params.grant_type,
    scope: params.scope,
    resource: params.resource,
    hint: params.token_type_hint,
    token: fingerprint(params.refresh_token ?? params.token ?? params.subject_token),
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
