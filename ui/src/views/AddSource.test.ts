import { expect, it } from 'vitest';
import { type AddAccount } from '../lib/backend/backend';
import { provider, sampleAccounts } from '../lib/backend/mock-accounts';
import { none, NOW, one, openWindow, press, settle, text, type } from '../test/window';

const MARK = 'MARK-4c7d';
const confidential = { ...provider('orders', 'Orders'), client_authentication: 'client_secret_basic' as const };

async function opened(providers = [confidential, provider('okta', 'Okta')]) {
  const backend = await openWindow({ accounts: sampleAccounts(NOW), providers, now: () => NOW });
  const given: AddAccount[] = [];
  const add = backend.addAccount.bind(backend);
  backend.addAccount = (request) => {
    given.push(request);
    return add(request);
  };
  press('add-account');
  await settle();
  press('add-source');
  await settle();
  return { backend, given };
}

async function choose(id: string, value: string) {
  const field = one(id) as unknown as HTMLSelectElement;
  field.value = value;
  field.dispatchEvent(new Event('change', { bubbles: true }));
  await settle();
}
const off = () => (one('add-source-submit') as HTMLButtonElement).disabled;

it('adds an account of the client itself, and shows it', async () => {
  const { given } = await opened();
  expect(off()).toBe(true);
  await choose('source-provider', 'orders');
  type('source-label', 'nightly');
  type('source-scopes', ' read  write ');
  await settle();
  press('add-source-submit');
  await settle();
  expect(given).toEqual([{ provider: 'orders', label: 'nightly', source: { is: 'client_credentials' }, scopes: ['read', 'write'] }]);
  expect(text(one('account-page'))).toContain('Nobody: the app proves itself');
});

it('does not ask a provider whose client proves itself with nothing', async () => {
  await opened();
  await choose('source-provider', 'okta');
  expect(text(one('add-source-view'))).toContain('gets no tokens of its own');
  expect(off()).toBe(true);
  await choose('source-kind', 'jwt_bearer');
  type('source-key', MARK);
  await settle();
  expect(off()).toBe(false);
});

it('exchanges the token of an account that has one', async () => {
  const { given } = await opened();
  await choose('source-provider', 'orders');
  await choose('source-kind', 'token_exchange');
  expect(off()).toBe(true);
  const parents = [...(one('source-parent') as unknown as HTMLSelectElement).options].map(({ value }) => value).filter(Boolean);
  expect(parents.length).toBeGreaterThan(2);
  await choose('source-parent', parents[1] ?? '');
  type('source-resource', 'http://api.example');
  await settle();
  expect(off()).toBe(true);
  type('source-resource', 'https://api.example');
  await settle();
  press('add-source-submit');
  await settle();
  expect(given).toEqual([{ provider: 'orders', scopes: [], resource: 'https://api.example', source: { is: 'token_exchange', parent: parents[1] } }]);
});

it('forgets a key with the press that sends it, and says so when it was in vain', async () => {
  const { backend, given } = await opened();
  backend.addAccount = (request) => {
    given.push(request);
    return Promise.reject({ code: 'invalid_grant', message: 'No.' });
  };
  await choose('source-provider', 'okta');
  await choose('source-kind', 'jwt_bearer');
  type('source-key', MARK);
  type('source-subject', 'ann@example.org');
  await settle();
  press('add-source-submit');
  await settle();
  expect(given.map(({ source }) => source)).toEqual([{ is: 'jwt_bearer', key: MARK, subject: 'ann@example.org' }]);
  expect((one('source-key') as unknown as HTMLTextAreaElement).value).toBe('');
  expect(document.body.textContent).not.toContain(MARK);
  expect(text(one('add-source-view'))).toContain('The key was sent and forgotten');
  expect(text(one('add-source-failed'))).not.toBe('');
  expect(off()).toBe(true);
  // Neither does it stay for another kind.
  type('source-key', MARK);
  await settle();
  await choose('source-kind', 'client_credentials');
  expect(none('source-key')).toBe(true);
  await choose('source-kind', 'jwt_bearer');
  expect((one('source-key') as unknown as HTMLTextAreaElement).value).toBe('');
});
