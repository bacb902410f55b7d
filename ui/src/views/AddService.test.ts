import { expect, it } from 'vitest';
import { announcer } from '../lib/announce.svelte';
import { failure, type MockOptions } from '../lib/backend/mock';
import { none, one, openWindow, press, settle, text, type } from '../test/window';

async function choosing(options: MockOptions = {}) {
  const backend = await openWindow({ accounts: [], ...options });
  press('add-account');
  await settle();
  press('provider-other');
  await settle();
  return backend;
}
const offered = () => [...document.querySelectorAll('button[data-testid^="service-"] strong')].map(text);

it('offers the services that the agent knows by their names, and every other one by its addresses', async () => {
  await choosing();
  expect(offered()).toEqual([
    'GitHub (OAuth app)', 'Google', 'Keycloak', 'Microsoft (work or school)', 'Okta', 'SuperOffice CRM Online', 'Zoho',
    'Another OpenID Connect provider', 'Another OAuth 2 service',
  ]);
  expect(document.activeElement).toBe(one('service-find'));
});

it('shows why a service cannot be added, and leaves nothing to press there', async () => {
  await choosing();
  expect(text(one('service-notion'))).toContain('Notion wants a header of its own');
  expect(text(one('service-yahoo'))).toContain('No program can receive it on this computer.');
  for (const id of ['service-notion', 'service-yahoo']) {
    expect(one(id).matches('button, a, [tabindex]')).toBe(false);
    expect(one(id).querySelector('button, a, [tabindex]')).toBeNull();
    press(id);
    await settle();
    expect(none('add-provider')).toBe(true);
  }
});

it('finds a service by a part of its name or of its address, and says how many are left', async () => {
  await choosing();
  type('service-find', 'school');
  await settle();
  expect(offered().slice(0, -2)).toEqual(['Microsoft (work or school)']);
  expect(announcer.text.trim()).toBe('1 service found.');
  type('service-find', 'ACCOUNTS.google');
  await settle();
  expect(offered().slice(0, -2)).toEqual(['Google']);
  type('service-find', 'notion');
  await settle();
  expect(offered()).toHaveLength(2);
  expect(text(one('services-none'))).toBe('Holdfast knows it and cannot add it yet. The reason stands below.');
  expect(none('service-notion')).toBe(false);
  type('service-find', 'no such thing');
  await settle();
  expect(text(one('services-none'))).toBe('No service is called “no such thing”.');
  expect(offered()).toEqual(['Another OpenID Connect provider', 'Another OAuth 2 service']);
});

it('goes on looking for what was not among the providers', async () => {
  await openWindow({ accounts: [], providers: [] });
  press('add-account');
  await settle();
  const find = document.querySelector<HTMLInputElement>('.add-s input');
  if (!find) throw new Error('nowhere to search');
  find.value = 'zoho';
  find.dispatchEvent(new Event('input', { bubbles: true }));
  await settle();
  press('provider-other');
  await settle();
  expect((one('service-find') as HTMLInputElement).value).toBe('zoho');
  expect(offered()[0]).toBe('Zoho');
});

it('takes a pasted address for the issuer of a provider that is in no list', async () => {
  await choosing();
  type('service-find', 'https://login.example');
  await settle();
  expect((one('issuer') as HTMLInputElement).value).toBe('https://login.example');
});

it('says when the services cannot be listed, and still adds one by its address', async () => {
  await choosing({ profiles: failure('agent_unreachable', 'The agent has ended the connection.') });
  expect(text(one('services-failed'))).toContain('The agent has ended the connection.');
  expect(offered()).toEqual(['Another OpenID Connect provider']);
  press('service-other-oidc');
  await settle();
  expect(none('issuer')).toBe(false);
});

it('goes back one step at a time', async () => {
  await choosing();
  press('service-okta');
  await settle();
  expect(none('add-provider')).toBe(false);
  press('back');
  await settle();
  expect(none('add-service')).toBe(false);
  press('back');
  await settle();
  expect(none('add-view')).toBe(false);
});
