import { expect, it } from 'vitest';
import { account, hue, letters, shown } from './account';
import { sketch } from './backend/mock';
import { shortName } from './provider';
import { H, M } from './time';

const NOW = Date.UTC(2026, 4, 14, 13, 58, 20);
const base = { label: 'A', provider: 'okta', issued: -5 * H, renewed: -14 * M };

it('draws the refresh token’s life, because it decides how long the sign-in goes on', () => {
  const { life, renewable } = account(sketch(NOW, { ...base, sliding: H, absolute: 3 * H, accessEnds: 5 * M }));
  expect(life).toEqual({ issued: NOW - 5 * H, renewed: NOW - 14 * M, sliding: H, absolute: NOW + 3 * H });
  expect(renewable).toBe(true);
});

it('calls a limit that nobody named unknown instead of absent', () => {
  expect(account(sketch(NOW, { ...base, sliding: H, absolute: null })).life.absolute).toBe('unknown');
});

it('draws the access token’s life when there is no refresh token', () => {
  const { life, renewable } = account(sketch(NOW, { ...base, sliding: null, absolute: 38 * M, refreshToken: false }));
  expect(life).toEqual({ issued: NOW - 5 * H, renewed: NOW - 14 * M, sliding: null, absolute: NOW + 38 * M });
  expect(renewable).toBe(false);
});

it('says the most urgent thing that is true', () => {
  const pill = (state: Parameters<typeof sketch>[1]['state'], absolute = 3 * H) =>
    shown(account(sketch(NOW, { ...base, state: state ?? 'fresh', sliding: H, absolute })), NOW);
  expect(pill('fresh')).toBe('active');
  expect(pill('due')).toBe('active');
  expect(pill('refreshing')).toBe('refreshing');
  expect(pill('stale')).toBe('offline');
  expect(pill('expired')).toBe('offline');
  expect(pill('fresh', 20 * M)).toBe('expiring');
  expect(pill('stale', 20 * M)).toBe('expiring');
  expect(pill('needs_sign_in', 20 * M)).toBe('needs');
  const over = { code: 'new_token_needed', text: 'It was entered by hand and is over.', at: -M };
  expect(shown(account(sketch(NOW, { ...base, state: 'expired', refreshToken: false, absolute: -M, reason: over })), NOW)).toBe('needs');
  expect(pill('revoked')).toBe('revoked');
  expect(pill('signed_out')).toBe('signedout');
  expect(pill('disposed')).toBe('signedout');
});

it('renews an account that nobody signs in to, and does not take the end of its token for its own', () => {
  const { life, renewable } = account({ ...sketch(NOW, { ...base, absolute: 4 * M, refreshToken: false }), source: 'client_credentials' });
  expect([life.absolute, renewable]).toEqual([null, true]);
  const soon = account({ ...sketch(NOW, { ...base, absolute: 4 * M, refreshToken: false }), source: 'jwt_bearer' });
  expect(shown(soon, NOW)).toBe('active');
});

it('gets tokens again by whoever gave them', () => {
  const refused = { code: 'source_refused', text: 'No.', at: -M };
  const comeback = (source: string, state: Parameters<typeof sketch>[1]['state'], reason = refused) =>
    account({ ...sketch(NOW, { ...base, state: state ?? 'fresh', reason }), source }).comeback;
  expect(comeback('authorization_code', 'signed_out')).toBe('sign_in');
  expect(comeback('token_exchange', 'needs_sign_in')).toBe('retry');
  expect(comeback('token_exchange', 'needs_sign_in', { ...refused, code: 'unreadable' })).toBe('elsewhere');
  expect(comeback('jwt_bearer', 'signed_out')).toBe('elsewhere');
  expect(comeback('static', 'needs_sign_in')).toBe('elsewhere');
});

it('groups fingerprints by four digits', () => {
  const view = sketch(NOW, { ...base, accessEnds: M });
  const [first] = view.credentials;
  if (!first) throw new Error('no credential');
  view.credentials = [{ ...first, fingerprint: '7c1e90ab44f2' }];
  expect(account(view).credentials[0]?.fingerprint).toBe('7c1e 90ab 44f2');
});

it('makes two letters and a steady tint for any provider', () => {
  expect(['Okta', 'Microsoft Entra ID', 'x', '123 go', '东京', '—'].map(letters)).toEqual(['Ok', 'ME', 'X', '1G', '东京', '?']);
  expect(hue('okta')).toBe(hue('okta'));
  for (const name of ['', 'a', 'keycloak', '东京']) expect(hue(name)).toBeGreaterThanOrEqual(1), expect(hue(name)).toBeLessThanOrEqual(8);
});

it('makes short names that the agent takes', () => {
  expect(shortName('Northwind Workforce', [])).toBe('northwind-workforce');
  expect(shortName('login.example:8443', [])).toBe('login.example-8443');
  expect(shortName('Åsa’s IdP', ['asas-idp'])).toBe('asas-idp-2');
  expect(shortName('东京', ['provider', 'provider-2'])).toBe('provider-3');
  expect(shortName('x'.repeat(200), []).length).toBeLessThanOrEqual(64);
});
