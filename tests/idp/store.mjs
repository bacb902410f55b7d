// Where the provider keeps everything: one Map, so that a second Provider (after a change of keys) sees it too.

import { fingerprint } from './journal.mjs';

const rows = new Map();

/** For how many seconds an ended device code is known: its device hears `expired_token` (RFC 8628 section 3.5). */
const REMEMBERED = 3600;

const key = (model, id) => `${model}:${id}`;

function live(row) {
  return row && (row.endsAt === undefined || row.endsAt > Date.now()) ? row : undefined;
}

function firstOf(model, matches) {
  for (const row of rows.values()) {
    if (row.model === model && live(row) && matches(row.payload)) return row.payload;
  }
  return undefined;
}

/** The adapter of oidc-provider. */
export class Store {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload, expiresIn) {
    const after = this.model === 'DeviceCode' ? REMEMBERED : 0;
    const endsAt = expiresIn === undefined ? undefined : Date.now() + (expiresIn + after) * 1000;
    rows.set(key(this.model, id), { model: this.model, id, payload, endsAt });
  }

  async find(id) {
    return live(rows.get(key(this.model, id)))?.payload;
  }

  async findByUid(uid) {
    return firstOf(this.model, (payload) => payload.uid === uid);
  }

  async findByUserCode(userCode) {
    return firstOf(this.model, (payload) => payload.userCode === userCode);
  }

  async consume(id) {
    rows.get(key(this.model, id)).payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    rows.delete(key(this.model, id));
  }

  async revokeByGrantId(grantId) {
    for (const [at, row] of rows) {
      if (row.payload.grantId === grantId) rows.delete(at);
    }
  }
}

/** Lets the payload of a refresh token live until `exp` (seconds since 1970). */
export function extendRefreshToken(id, exp) {
  const row = rows.get(key('RefreshToken', id));
  row.payload.exp = exp;
  row.endsAt = exp * 1000;
}

const KINDS = { AccessToken: 'access_token', ClientCredentials: 'access_token', RefreshToken: 'refresh_token' };

/** The tokens that exist now, values included: tests look for them in files. JWT access tokens are kept nowhere. */
export function tokens() {
  return [...rows.values()]
    .filter((row) => live(row) && KINDS[row.model])
    .map(({ model, id, payload }) => ({
      kind: KINDS[model],
      value: id,
      fingerprint: fingerprint(id),
      user: payload.accountId,
      client: payload.clientId,
      grant: payload.grantId,
      consumed: payload.consumed !== undefined,
      expires_at: payload.exp,
    }));
}

const issued = [];

/** The members of an answer that are secrets, by route. */
const SECRETS = {
  client_update: ['client_secret', 'registration_access_token'],
  device_authorization: ['device_code'],
  registration: ['client_secret', 'registration_access_token'],
  token: ['access_token', 'refresh_token', 'id_token'],
};

/** Keeps what was given out. */
export function noteIssued(ctx) {
  if (ctx.status !== 200 && ctx.status !== 201) return;
  for (const kind of SECRETS[ctx.oidc?.route] ?? []) {
    if (ctx.body[kind]) {
      const value = ctx.body[kind];
      issued.push({ kind, value, fingerprint: fingerprint(value), user: ctx.oidc.account?.accountId });
    }
  }
}

/** Every secret that was ever given out, gone ones and ID tokens included: tests look for them in memory. */
export function issuedTokens() {
  return issued;
}
