import { expect, it } from 'vitest';
import { PROFILES } from './backend/mock-profiles';
import { barred, example, filled, insecure, isAddress, proposed, receivable, usual, usualHost, variablesOf } from './service';
import { label, lasts, whereabouts } from './service-words';

const of = (name: string) => {
  const found = PROFILES.find((profile) => profile.name === name);
  if (!found) throw new Error(`no profile ${name}`);
  return found;
};

it('asks for what stands in the issuer first, in its order, and then for the rest', () => {
  expect(variablesOf(of('generic-oauth2')).map(({ name }) => name)).toEqual(['issuer', 'authorization_endpoint', 'token_endpoint']);
  expect(variablesOf(of('okta')).map(({ name }) => name)).toEqual(['domain', 'server']);
  expect(variablesOf(of('generic-oauth2')).every((variable) => isAddress(of('generic-oauth2'), variable))).toBe(true);
  expect(variablesOf(of('okta')).some((variable) => isAddress(of('okta'), variable))).toBe(false);
});

it('fills an address in only when every piece of it is there', () => {
  const page = 'https://{host}/admin/{realm}/console/';
  expect(filled(page, { host: 'id.example', realm: 'main' })).toBe('https://id.example/admin/main/console/');
  expect(filled(page, { host: 'id.example', realm: '' })).toBe('');
  expect(filled(page, {})).toBe('');
  expect(filled('https://{constructor}', {})).toBe('');
  expect(filled(null, {})).toBe('');
});

it('says where a service is, or what of it differs for everybody', () => {
  expect(usualHost(of('google'))).toBe('accounts.google.com');
  expect(usual(of('superoffice'))).toEqual({ env: 'online' });
  expect(whereabouts(of('superoffice'))).toBe('online.superoffice.com');
  expect(whereabouts(of('okta'))).toBe('You name its domain');
  expect(whereabouts({ ...of('okta'), variables: [...of('okta').variables].reverse().map((one) => ({ ...one, default: null })) })).toBe('You name its domain and server');
  expect(whereabouts(of('keycloak'))).toBe('You name its host and realm');
});

it('finds the example within a description', () => {
  expect(example('Origin of the server, such as https://login.example.com')).toBe('https://login.example.com');
  expect(example('Data centre, as in its web address, such as na1 or eu1')).toBe('na1');
  expect(example('Name of the realm')).toBe('');
});

it('calls variables by words', () => {
  expect(['tenant', 'authorization_endpoint', 'dc', 'constructor'].map(label)).toEqual(['Tenant', 'Authorization endpoint', 'Data centre', 'Constructor']);
});

it('knows which addresses are unencrypted, and at which it can receive an answer', () => {
  expect(['http://login.example', 'http://localhost.evil.example'].every(insecure)).toBe(true);
  expect(['https://login.example', 'http://127.0.0.1:4444', 'http://[::1]:80/x', ''].some(insecure)).toBe(false);
  for (const good of ['http://127.0.0.1:49152/callback', 'http://localhost:8080', 'http://[::1]:5000/cb', 'app.holdfast.desktop:/callback/demo']) expect(receivable(good), good).toBe(true);
  for (const bad of ['http://127.0.0.1/callback', 'https://localhost:1/x', 'http://login.example:80/', 'http://localhost:0/', 'http://localhost:70000/', 'http://localhost:1evil.example/', 'app.holdfast.desktop://callback', 'com.example:/callback', 'app.holdfast.desktop:/a?b']) {
    expect(receivable(bad), bad).toBe(false);
  }
});

it('cannot be chosen where the service is not supported, or answers to https only', () => {
  expect(PROFILES.filter(barred).map(({ name }) => name)).toEqual(['notion', 'yahoo']);
});

it('says how long a sign-in there lasts, also when nobody publishes it', () => {
  expect(lasts(of('google'))).toEqual([
    'It ends when nothing renews it for 180 d.', 'An access token lives 1 h. Holdfast renews it if the service lets it.',
  ]);
  expect(lasts(of('github-oauth-app'))).toEqual(['No limit is published. Holdfast tells you when the service asks for you again.']);
  expect(lasts({ ...of('google'), refresh_absolute_s: 28_800 })[0]).toBe('You sign in again 8 h after a sign-in, however often it is renewed.');
});

it('proposes a name that is not taken', () => {
  expect(proposed('Okta', [])).toBe('Okta');
  expect(proposed('Okta', ['Okta', 'Okta 2'])).toBe('Okta 3');
});
