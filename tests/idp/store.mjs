// Where the provider keeps everything: one Map, so that a second Provider (after a change of keys) sees it too.

import { fingerprint } from './journal.mjs';

const rows = new Map();

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
    const endsAt = expiresIn === undefined ? undefined : Date.now() + expiresIn * 1000;
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

/** The tokens that exist now, values included: tests look for them in files. */
export function tokens() {
  return [...rows.values()]
    .filter((row) => live(row) && ['AccessToken', 'RefreshToken'].includes(row.model))
    .map(({ model, id, payload }) => ({
      kind: model === 'AccessToken' ? 'access_token' : 'refresh_token',
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

/** Keeps what the token endpoint gave out. */
export function noteIssued(ctx) {
  if (ctx.oidc?.route !== 'token' || ctx.status !== 200) return;
  for (const kind of ['access_token', 'refresh_token', 'id_token']) {
    if (ctx.body[kind]) {
      const value = ctx.body[kind];
      issued.push({ kind, value, fingerprint: fingerprint(value), user: ctx.oidc.account?.accountId });
    }
  }
}

/** Every token that was ever given out, gone ones and ID tokens included: tests look for them in memory. */
export function issuedTokens() {
  return issued;
}
