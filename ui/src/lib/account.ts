/* From the wire's account to what rows and pages draw. Parsed once for each version of a view. */
import type { AccountView, CredentialView, State } from './backend/backend';
import { clean, host } from './text';
import { type Life, type Shown, wallTone } from './life';
import { instant } from './time';

export interface Account {
  id: string;
  /** What the user calls it, fit to be shown. */
  label: string;
  /** The same as the agent knows it, for commands. */
  agentLabel: string;
  provider: string;
  providerName: string;
  /** The name to sign in with, or failing that the subject. */
  person: string;
  issuer: string;
  issuerHost: string;
  scopes: string[];
  state: State;
  reason: { code: string; text: string; at: number | null } | null;
  trouble: { code: string; text: string; attempts: number; retryAt: number | null } | null;
  signedInAt: number;
  life: Life;
  accessEnds: number | null;
  next: { at: number; action: string } | null;
  /** Whether it can be renewed: a refresh token is held, or its tokens are made without anybody signing in. */
  renewable: boolean;
  /** How its tokens are got, in the agent's words. */
  source: string;
  /** How it gets tokens again once it has none. */
  comeback: Comeback;
  credentials: Credential[];
}

export interface Credential {
  id: string;
  kind: CredentialView['kind'];
  tokenType: string;
  /** First 12 hexadecimal digits of SHA-256, in groups of 4. */
  fingerprint: string;
  generation: number;
  life: Life;
  ends: number | null;
  /** Who says when it ends. */
  origin: string | null;
}

/** Its person signs in, has it tried again, or has to add it anew where it came from. */
export type Comeback = 'sign_in' | 'retry' | 'elsewhere';

const parsed = new WeakMap<AccountView, Account>();

export function account(view: AccountView): Account {
  let known = parsed.get(view);
  if (!known) parsed.set(view, (known = parse(view)));
  return known;
}

function parse(view: AccountView): Account {
  const refresh = view.credentials.find(({ kind }) => kind === 'refresh_token');
  const access = view.credentials.find(({ kind }) => kind === 'access_token');
  const signedInAt = instant(view.signed_in_at) ?? 0;
  const retryAt = instant(view.trouble?.retry_at);
  const nextAt = instant(view.next?.at);
  return {
    id: view.id,
    label: clean(view.label),
    agentLabel: view.label,
    provider: view.provider,
    providerName: clean(view.provider_display_name) || clean(view.provider),
    person: clean(view.username) || clean(view.subject),
    issuer: clean(view.issuer),
    issuerHost: host(view.issuer),
    scopes: view.scopes.map((scope) => clean(scope)),
    state: view.state,
    reason: view.reason && { code: view.reason.code, text: clean(view.reason.text), at: instant(view.reason.at) },
    trouble: view.trouble && {
      code: view.trouble.code, text: clean(view.trouble.detail), attempts: view.trouble.attempts, retryAt,
    },
    signedInAt,
    life: lifeOf(view, refresh, access, signedInAt),
    accessEnds: instant(view.access_expires_at),
    next: view.next && nextAt !== null ? { at: nextAt, action: view.next.action } : null,
    renewable: refresh !== undefined || (isAdded(view.source) && access !== undefined),
    source: view.source,
    comeback: comebackOf(view),
    credentials: view.credentials.map(credential),
  };
}

/** Whether nobody signs in to an account of this source, and Holdfast gets its tokens all the same. */
function isAdded(source: string): boolean {
  return source !== 'authorization_code' && source !== 'static';
}

function comebackOf({ source, state, reason }: AccountView): Comeback {
  if (source === 'authorization_code') return 'sign_in';
  return isAdded(source) && state === 'needs_sign_in' && reason?.code !== 'unreadable' ? 'retry' : 'elsewhere';
}

/**
 * The life that the bar draws: the refresh token's, because it decides how long the sign-in can go on. Without one,
 * the access token's. A limit that a refresh token does not name is not published, not absent.
 */
function lifeOf(
  view: AccountView, refresh: CredentialView | undefined, access: CredentialView | undefined, signedInAt: number,
): Life {
  if (refresh) return life(refresh, 'unknown');
  // What an added account's tokens are made from has no end: the end of one token is not the end of the account.
  if (access && isAdded(view.source)) return { ...life(access, null), absolute: null };
  if (access) return life(access, null);
  // Nothing is held any more; the account still says what it was.
  return {
    issued: signedInAt, renewed: signedInAt, sliding: null, absolute: instant(view.absolute_expires_at) ?? null,
  };
}

function life(view: CredentialView, unnamed: 'unknown' | null): Life {
  const issued = instant(view.issued_at) ?? 0;
  return {
    issued,
    renewed: instant(view.last_used_at) ?? issued,
    sliding: view.sliding_window_s === null ? null : Number(view.sliding_window_s) * 1000,
    absolute: instant(view.absolute_expires_at) ?? unnamed,
  };
}

function credential(view: CredentialView): Credential {
  return {
    id: view.id,
    kind: view.kind,
    tokenType: clean(view.token_type, 20),
    fingerprint: clean(view.fingerprint, 64).replace(/(.{4})(?=.)/g, '$1 '),
    generation: Number(view.generation),
    // An access token begins anew at every renewal; its bar starts there.
    life: view.kind === 'refresh_token'
      ? life(view, 'unknown')
      : { ...life(view, null), issued: instant(view.last_used_at) ?? instant(view.issued_at) ?? 0 },
    ends: instant(view.effective_end),
    origin: view.limited_by === 'sliding' ? view.sliding_origin : view.absolute_origin,
  };
}

/** What the pill says at `now`. */
export function shown(of: Account, now: number): Shown {
  switch (of.state) {
    case 'revoked': return 'revoked';
    case 'signed_out':
    case 'disposed': return 'signedout';
    case 'needs_sign_in': return 'needs';
  }
  // Nobody is trying to renew a token that was entered by hand.
  if (of.state === 'expired' && of.reason?.code === 'new_token_needed') return 'needs';
  if (wallTone(of.life, 'active', now) !== 'far') return 'expiring';
  switch (of.state) {
    case 'refreshing': return 'refreshing';
    case 'stale':
    case 'expired': return 'offline';
    default: return 'active';
  }
}

export type Group = 'needs' | 'soon' | 'held' | 'not';
export const GROUPS: readonly Group[] = ['needs', 'soon', 'held', 'not'];

export function groupOf(pill: Shown): Group {
  switch (pill) {
    case 'needs': return 'needs';
    case 'expiring': return 'soon';
    case 'revoked':
    case 'signedout': return 'not';
    default: return 'held';
  }
}

const URGENCY: Record<Shown, number> = {
  needs: 0, expiring: 1, offline: 2, refreshing: 3, active: 4, revoked: 8, signedout: 9,
};

/** An account with what its pill says. */
export interface Ranked {
  account: Account;
  pill: Shown;
}

/** Most urgent first: state, then what ends or renews next, then label. */
export function ranked(accounts: readonly Account[], now: number): Ranked[] {
  return accounts
    .map((account) => {
      const pill = shown(account, now);
      const soonest = pill === 'expiring' ? hardLimit(account) : account.next?.at;
      return { account, pill, soonest: soonest ?? Number.POSITIVE_INFINITY };
    })
    .sort((a, b) =>
      URGENCY[a.pill] - URGENCY[b.pill] || compare(a.soonest, b.soonest) || compare(a.account.label, b.account.label));
}

const compare = <T extends number | string>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/** Two letters that stand for a provider: no logos, the same weight for everybody. */
export function letters(name: string): string {
  const parts = name.split(/[\s._-]+/).filter((part) => /[\p{L}\p{N}]/u.test(part));
  const chars = (part: string | undefined) => Array.from(part ?? '').filter((c) => /[\p{L}\p{N}]/u.test(c));
  const [first = '', second = ''] = parts.length > 1 ? [chars(parts[0])[0], chars(parts[1])[0]] : chars(parts[0]);
  return (first.toLocaleUpperCase() + (parts.length > 1 ? second.toLocaleUpperCase() : second.toLocaleLowerCase())) || '?';
}

/** One of the eight tints, always the same for the same name. */
export function hue(name: string): number {
  let sum = 0;
  for (const c of name) sum = (sum * 31 + (c.codePointAt(0) ?? 0)) >>> 0;
  return (sum % 8) + 1;
}

/** The instant of the hard limit, when one is known. */
export const hardLimit = (of: Account): number | null => (typeof of.life.absolute === 'number' ? of.life.absolute : null);

