/* What the stand-in agent begins with: accounts and providers that are made up. */
import type { AccountView, CredentialView, ErrorCode, ProviderView, SignOutOutcome, State } from './backend';
import { D, H, M, S } from '../time';

export const iso = (t: number) => new Date(t).toISOString();

/** What a made-up account is like; instants relative to `now`, in milliseconds. */
export interface Sketch {
  label: string;
  provider: string;
  providerName?: string;
  username?: string;
  state?: State;
  issued: number;
  renewed: number;
  sliding?: number | null;
  absolute?: number | null;
  accessEnds?: number | null;
  next?: number | null;
  reason?: { code: string; text: string; at: number };
  trouble?: { code: ErrorCode; detail: string; attempts: number; retry: number };
  refreshToken?: boolean;
  outcome?: SignOutOutcome;
}

let made = 0;
/** How a made-up account answers when it is signed out. */
export const outcomes = new Map<string, SignOutOutcome>();

export function sketch(now: number, of: Sketch): AccountView {
  made += 1;
  const id = `acc-${String(made).padStart(4, '0')}`;
  if (of.outcome) outcomes.set(id, of.outcome);
  const at = (t: number | null | undefined) => (t === null || t === undefined ? null : iso(now + t));
  const held = !['revoked', 'signed_out', 'disposed'].includes(of.state ?? 'fresh');
  const window = of.sliding ? of.renewed + of.sliding : null;
  const ends = [window, of.absolute ?? null].filter((t): t is number => t !== null);
  const end = ends.length ? Math.min(...ends) : null;
  const credential = (kind: CredentialView['kind'], more: Partial<CredentialView>): CredentialView => ({
    id: `${id}-${kind}`, kind, source: 'authorization_code', generation: 7,
    fingerprint: ((made * 2654435761) >>> 0).toString(16).padStart(8, '0') + { access_token: '90ab', refresh_token: '98fc', id_token: '7e13', dpop_key: '5c40', source_secret: '6d51' }[kind],
    token_type: 'Bearer', scopes: ['openid', 'profile', 'offline_access'],
    issued_at: iso(now + of.issued), last_used_at: iso(now + of.renewed),
    absolute_expires_at: null, absolute_origin: null, sliding_window_s: null, sliding_origin: null,
    effective_end: null, limited_by: null, ...more,
  });
  const access = of.accessEnds ?? (of.refreshToken === false ? of.absolute : null) ?? null;
  const credentials = !held ? [] : [
    credential('access_token', { absolute_expires_at: at(access), absolute_origin: 'reported', effective_end: at(access), limited_by: 'absolute' }),
    ...(of.refreshToken === false ? [] : [credential('refresh_token', {
      absolute_expires_at: at(of.absolute), absolute_origin: of.absolute == null ? null : 'declared',
      sliding_window_s: of.sliding ? of.sliding / S : null, sliding_origin: of.sliding ? 'declared' : null,
      effective_end: at(end), limited_by: end === null ? null : end === of.absolute ? 'absolute' : 'sliding',
    })]),
    credential('id_token', { effective_end: at(of.issued + H), absolute_expires_at: at(of.issued + H), absolute_origin: 'jwt', limited_by: 'absolute', generation: 0 }),
  ];
  return {
    id, provider: of.provider, provider_display_name: of.providerName ?? of.provider, label: of.label,
    issuer: `https://login.${of.provider}.example`, subject: `00u1f9k2${made}`, username: of.username ?? 'mara.lindqvist@northwind.example',
    scopes: ['openid', 'profile', 'offline_access'], state: of.state ?? 'fresh',
    reason: of.reason ? { code: of.reason.code, text: of.reason.text, at: iso(now + of.reason.at) } : null,
    signed_in_at: iso(now + of.issued), access_expires_at: at(access),
    window_closes_at: at(window), absolute_expires_at: at(of.absolute), effective_end: at(end),
    limited_by: end === null ? null : end === of.absolute ? 'absolute' : 'sliding', credentials,
    next: of.trouble ? { at: iso(now + of.trouble.retry), action: 'retry', why: 'the last renewal failed' }
      : of.next === undefined || of.next === null ? null : { at: iso(now + of.next), action: of.refreshToken === false ? 'end' : 'renew', why: 'the access token is near its end' },
    trouble: of.trouble ? { code: of.trouble.code, detail: of.trouble.detail, attempts: of.trouble.attempts, retry_at: iso(now + of.trouble.retry) } : null,
    url: null, note: null, source: 'authorization_code', parent: null, revision: 1,
  };
}

export const provider = (name: string, display_name: string): ProviderView => ({
  name, display_name, issuer: `https://login.${name}.example`, metadata_url: null, client_id: 'holdfast-desktop',
  client_authentication: 'none', client_key_id: null, redirect_uri: null, post_logout_redirect_uri: null, scopes: ['openid', 'offline_access'], refresh_absolute_s: null,
  refresh_sliding_s: null, access_lifetime_s: null, extra: {}, protocol: 'oidc', person: null, dpop: false, profile: null, origin: 'file',
  assertion_audience: null, registered_at: null, client_secret_expires_at: null, revocation: { way: 'rfc7009', effect: null, user_url: null },
  endpoints: {
    authorization: null, token: null, device_authorization: null, revocation: null, introspection: null, userinfo: null, jwks: null,
    end_session: null,
  },
});

export const PROVIDERS = [
  provider('okta', 'Okta'), provider('entra', 'Microsoft Entra ID'), provider('keycloak', 'Keycloak'),
  provider('gitlab', 'GitLab'), provider('atlassian', 'Atlassian'), provider('tidepool', 'Tidepool Social'),
];

export function sampleAccounts(now: number): AccountView[] {
  return ([
    { label: 'Staging realm', provider: 'keycloak', providerName: 'Keycloak', state: 'needs_sign_in', issued: -9 * H, renewed: -131 * M, sliding: 30 * M, absolute: H, reason: { code: 'refused', text: 'The provider refused the refresh token: “Session not active”.', at: -44 * M } },
    { label: 'Partner portal', provider: 'auth0', providerName: 'Auth0', state: 'needs_sign_in', issued: -30 * D, renewed: -61 * M, sliding: 24 * H, absolute: -12 * M, reason: { code: 'absolute_end', text: '30 d have passed since sign-in. Nothing can be renewed after that.', at: -12 * M } },
    { label: 'Citizen tax portal', provider: 'coreone', providerName: 'CoreOne', username: 'mara.lindqvist', issued: -222 * M, renewed: -9 * M, sliding: 60 * M, absolute: 18 * M, next: 4 * M + 10 * S, accessEnds: 6 * M },
    { label: 'Contoso admin', provider: 'entra', providerName: 'Microsoft Entra ID', username: 'adm-mara@contoso.example', issued: -7 * H - 19 * M, renewed: -27 * M, sliding: 60 * M, absolute: 41 * M, next: 11 * M + 32 * S, accessEnds: 14 * M },
    { label: 'Northwind GitLab', provider: 'gitlab', providerName: 'GitLab', username: 'mlindqvist', state: 'stale', issued: -44 * H, renewed: -74 * M, sliding: 2 * H, absolute: 5 * D + 4 * H, trouble: { code: 'provider_unreachable', detail: 'git.northwind.example does not answer', attempts: 2, retry: 24 * S }, accessEnds: 20 * M, outcome: 'queued' },
    { label: 'Northwind workforce', provider: 'okta', providerName: 'Okta', issued: -5 * H, renewed: -14 * M, sliding: 60 * M, absolute: 3 * H, next: 3 * M + 12 * S, accessEnds: 5 * M },
    { label: 'Jira', provider: 'atlassian', providerName: 'Atlassian', issued: -6 * H - 58 * M, renewed: -3 * M, sliding: 60 * M, absolute: 62 * M, next: 42 * M + 6 * S, accessEnds: 57 * M },
    { label: 'Contoso', provider: 'entra', providerName: 'Microsoft Entra ID', username: 'mara@contoso.example', state: 'refreshing', issued: -18 * D, renewed: -41 * M, sliding: 90 * D, absolute: null, next: 0, accessEnds: 30 * M },
    { label: 'CRM Online', provider: 'superoffice', providerName: 'SuperOffice', issued: -26 * H, renewed: -8 * M, sliding: 20 * M, absolute: null, next: 10 * M + 2 * S, accessEnds: 12 * M, outcome: 'ended_here_only' },
    { label: 'Photo stream', provider: 'tidepool', providerName: 'Tidepool Social', username: '@mara.l', issued: -12 * D - 4 * H, renewed: -22 * M, sliding: 60 * M, absolute: 17 * D + 20 * H, next: 31 * M + 40 * S, accessEnds: 38 * M, outcome: 'ended_here_only' },
    { label: 'Calendar sync', provider: 'google', providerName: 'Google', username: 'mara.l@mail.example', issued: -140 * D, renewed: -33 * M, sliding: null, absolute: null, next: 21 * M + 55 * S, accessEnds: 27 * M },
    { label: 'Warehouse', provider: 'keycloak', providerName: 'Keycloak', username: 'mara', issued: -3 * H - 20 * M, renewed: -2 * M, sliding: 30 * M, absolute: 6 * H + 40 * M, next: 2 * M + 26 * S, accessEnds: 3 * M },
    { label: 'Survey call', provider: 'acs', providerName: 'Azure Communication', issued: -22 * M, renewed: -22 * M, sliding: null, absolute: 38 * M, next: 38 * M, refreshToken: false },
    { label: 'Old tablet session', provider: 'okta', providerName: 'Okta', state: 'revoked', issued: -2 * D, renewed: -2 * D, reason: { code: 'by_user', text: 'Revoked here.', at: -26 * H } },
    { label: 'Guest', provider: 'tidepool', providerName: 'Tidepool Social', username: '@guest-4471', state: 'signed_out', issued: -9 * D, renewed: -9 * D, reason: { code: 'by_user', text: 'Signed out here.', at: -6 * D } },
  ] satisfies Sketch[]).map((one) => sketch(now, one));
}

/** As many accounts as asked for, always the same. */
export function manyAccounts(now: number, n: number): AccountView[] {
  const all = sampleAccounts(now);
  let seed = 7;
  const random = () => (seed = (seed * 1664525 + 1013904223) >>> 0) / 4294967296;
  while (all.length < n) {
    const one = PROVIDERS[Math.floor(random() * PROVIDERS.length)] ?? provider('okta', 'Okta');
    const total = ([4, 8, 8, 8, 10, 24, 720][Math.floor(random() * 7)] ?? 8) * H;
    const passed = random() * total * 0.96;
    const renewed = -Math.min(passed, random() * 20 * M);
    all.push(sketch(now, {
      label: `${one.display_name} ${String(all.length).padStart(5, '0')}`, provider: one.name, providerName: one.display_name,
      username: `person.${all.length}@northwind.example`, issued: -passed, renewed, sliding: H, absolute: total - passed,
      next: Math.max(20 * S, 22 * M + renewed), accessEnds: 24 * M + renewed,
    }));
  }
  return all;
}
