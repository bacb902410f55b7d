import { expect, it } from 'vitest';
import { provider, sampleAccounts, type MockOptions } from '../lib/backend/mock';
import type { ProviderView } from '../lib/backend/backend';
import { route } from '../lib/route.svelte';
import { NOW, none, one, openWindow, press, row, settle, text } from '../test/window';

const DAY = 24 * 3600 * 1000;
const iso = (at: number) => new Date(at).toISOString();

const crm = (of: Partial<ProviderView>): ProviderView => ({ ...provider('crm', 'The CRM'), ...of });

async function about(of: Partial<ProviderView>, options: MockOptions = {}) {
  const backend = await openWindow({ accounts: [], providers: [crm(of)], ...options });
  press('add-account');
  await settle();
  press('about-crm');
  await settle();
  return backend;
}

it('tells how tokens are revoked at a service, in its own words where there are any', async () => {
  await about({ revocation: { way: 'github_grant', effect: null, user_url: 'https://crm.example/apps' } });
  expect(text(one('revocation-way'))).toBe('GitHub: all that the client got');
  expect(text(one('provider-page'))).toContain('One call ends all that this client got for you, on other computers too.');
  expect(text(one('provider-page'))).toContain('https://crm.example/apps');
  press('back');
  await settle();
  expect(none('about-crm')).toBe(false);
});

it('shows when the secret of a client ends that Holdfast registered, and says nothing more while that is far', async () => {
  await about({ client_authentication: 'client_secret_post', registered_at: iso(NOW - DAY), client_secret_expires_at: iso(NOW + 60 * DAY) });
  expect(text(one('client-secret-ends'))).toContain('2026');
  expect(none('register-anew')).toBe(true);
  expect(none('client-ends')).toBe(true);
});

it('has people register a new client before the secret ends, and leads them to the form for it', async () => {
  await openWindow({ accounts: [], providers: [crm({
    client_authentication: 'client_secret_post', registered_at: iso(NOW - 30 * DAY), client_secret_expires_at: iso(NOW + 3 * DAY), register_anew: true,
  })] });
  expect(text(one('client-ends'))).toContain('The client at The CRM comes to its end. Register a new one');
  one('client-ends').querySelector('button')?.click();
  await settle();
  expect(text(one('register-anew'))).toContain('The secret of this client ends:');
  press('register-anew-go');
  await settle();
  expect((one('issuer') as HTMLInputElement).value).toBe('https://login.crm.example');
  expect((one('client-registered') as HTMLInputElement).checked).toBe(true);
});

it('says that the secret has ended once it has', async () => {
  await about({
    client_authentication: 'client_secret_post', registered_at: iso(NOW - 30 * DAY), client_secret_expires_at: iso(NOW - 60_000), register_anew: true,
  });
  expect(text(one('register-anew'))).toContain('The secret of this client has ended:');
  expect(text(one('client-ends'))).toContain('The client at The CRM has ended.');
});

it('is one press away from an account, signs in there, and says when it is gone', async () => {
  const backend = await openWindow({ accounts: sampleAccounts(NOW) });
  row('Northwind workforce').click();
  await settle();
  press('about-provider');
  await settle();
  expect(one('provider-page').dataset.provider).toBe('okta');
  press('provider-sign-in');
  await settle();
  expect(backend.asked.at(-1)).toBe('sign in okta');
  route.go({ at: 'provider', name: 'nobody' });
  await settle();
  expect(none('provider-gone')).toBe(false);
});

it('shows text of a provider as text', async () => {
  const evil = '<img src=x onerror=alert(1)>\u202Etxt';
  await about({ display_name: evil, client_id: evil, revocation: { way: 'rfc7009', effect: evil, user_url: evil }, scopes: [evil], assertion_audience: evil });
  expect(document.querySelector('img')).toBeNull();
  expect(document.body.textContent).not.toContain('\u202E');
});
