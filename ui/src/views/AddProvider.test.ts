import { expect, it } from 'vitest';
import type { NewProvider } from '../lib/backend/backend';
import { failure, type MockOptions } from '../lib/backend/mock';
import { none, one, openWindow, press, settle, text, type } from '../test/window';

/** A window at the form of a service, and what it sends. */
async function filling(service: string, options: MockOptions = {}) {
  const backend = await openWindow({ accounts: [], providers: [], ...options });
  const sent: NewProvider[] = [];
  const add = backend.addProvider.bind(backend);
  backend.addProvider = (request) => {
    sent.push(request);
    return add(request);
  };
  press('add-account');
  await settle();
  press('provider-other');
  await settle();
  press(`service-${service}`);
  await settle();
  return { backend, sent };
}
const submit = () => one('add-provider-submit') as HTMLButtonElement;
const value = (id: string) => (one(id) as HTMLInputElement).value;
const hintOf = (id: string) =>
  (one(id).getAttribute('aria-describedby') ?? '').split(' ').map((hint) => text(document.getElementById(hint)!)).join(' ');

async function send(): Promise<void> {
  submit().click();
  await settle();
}

it('asks for what a service differs in, and sends that with the profile', async () => {
  const { backend, sent } = await filling('okta');
  expect(text(document.querySelector('h1')!)).toBe('Okta');
  expect(document.activeElement).toBe(one('variable-domain'));
  expect(hintOf('variable-domain')).toBe('Okta domain of the organization, such as example.okta.com');
  expect(one('variable-domain').getAttribute('placeholder')).toBe('example.okta.com');
  expect(value('variable-server')).toBe('default');
  expect(document.querySelector('label[for="variable-domain"]')?.textContent).toBe('Domain');
  expect(value('display-name')).toBe('Okta');
  expect(none('client-secret')).toBe(true);
  type('client-id', ' 0oa8c1 ');
  await settle();
  expect(submit().disabled).toBe(true);
  type('variable-domain', 'northwind.okta.com ');
  await settle();
  await send();
  expect(sent).toEqual([{
    name: 'okta', display_name: 'Okta', client_id: '0oa8c1', scopes: ['openid', 'profile', 'email', 'offline_access'],
    profile: 'okta', variables: { domain: 'northwind.okta.com', server: 'default' }, redirect_uri: 'http://127.0.0.1:49152/callback',
  }]);
  expect(backend.asked).toEqual(['add provider okta', 'sign in okta']);
  expect(none('sign-in-waiting')).toBe(false);
});

it('offers choices where there are choices', async () => {
  const { sent } = await filling('superoffice');
  const choice = one('variable-env') as unknown as HTMLSelectElement;
  expect(choice.tagName).toBe('SELECT');
  expect([...choice.options].map(text)).toEqual(['online', 'sod', 'qaonline']);
  expect(choice.value).toBe('online');
  choice.value = 'sod';
  choice.dispatchEvent(new Event('change', { bubbles: true }));
  type('client-id', 'desk');
  await settle();
  await send();
  expect(sent[0]?.variables).toEqual({ env: 'sod' });
});

it('asks for a client secret where the service wants one, and forgets it with the press that sends it', async () => {
  const { backend } = await filling('google');
  type('client-id', 'desk');
  await settle();
  expect(submit().disabled).toBe(true);
  type('client-secret', 'MARKED-SECRET-7f21');
  await settle();
  expect(one('client-secret').getAttribute('type')).toBe('password');
  let given: string | null | undefined;
  let refuse: (why: unknown) => void = () => undefined;
  backend.addProvider = (request) => {
    given = request.client_secret;
    return new Promise((_, reject) => (refuse = reject));
  };
  await send();
  expect(given).toBe('MARKED-SECRET-7f21');
  expect(value('client-secret')).toBe('');
  expect(document.documentElement.outerHTML).not.toContain('MARKED-SECRET');
  refuse(failure('provider_unreachable', 'accounts.google.com does not answer.'));
  await settle();
  expect(hintOf('client-secret')).toBe('The secret was sent and forgotten. Enter it again.');
  expect(submit().disabled).toBe(true);
});

it('does not go on without a secret that it has forgotten, until the person leaves it out', async () => {
  const { sent } = await filling('other-oidc');
  type('issuer', 'https://nowhere.example');
  type('client-id', 'desk');
  type('client-secret', 's3');
  await settle();
  await send();
  expect(sent[0]?.client_secret).toBe('s3');
  type('issuer', 'https://login.example');
  await settle();
  expect(hintOf('client-secret')).toBe('The secret was sent and forgotten. Enter it again.');
  expect(submit().disabled).toBe(true);
  type('client-secret', '');
  await settle();
  await send();
  expect(sent[1]).not.toHaveProperty('client_secret');
});

it('sends the registered redirect URI where the person names a port', async () => {
  const { sent } = await filling('microsoft-entra-work');
  type('variable-tenant', '8eaef023-2b34-4da1-9baa-8bc8c9d6a490');
  type('client-id', 'desk');
  expect(value('redirect-uri')).toBe('http://127.0.0.1/callback');
  type('redirect-uri', 'http://localhost');
  await settle();
  expect(submit().disabled).toBe(true);
  expect(hintOf('redirect-uri')).toContain('It has to look like http://127.0.0.1:49152/callback, with a port');
  type('redirect-uri', 'http://localhost:49152');
  await settle();
  await send();
  expect(sent[0]?.redirect_uri).toBe('http://localhost:49152');
});

it('sends no redirect URI where any port serves', async () => {
  const { sent } = await filling('google');
  type('client-id', 'desk');
  type('client-secret', 's');
  await settle();
  await send();
  expect(sent[0]).not.toHaveProperty('redirect_uri');
});

it('does not go on without a redirect URI where the service compares it', async () => {
  await filling('superoffice');
  type('client-id', 'desk');
  await settle();
  expect(submit().disabled).toBe(false);
  type('redirect-uri', '');
  await settle();
  expect(submit().disabled).toBe(true);
});

it('copies the redirect URI', async () => {
  await filling('okta');
  const copied: string[] = [];
  Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: async (what: string) => void copied.push(what) } });
  press('redirect-uri-copy');
  await settle();
  Reflect.deleteProperty(navigator, 'clipboard');
  expect(copied).toEqual(['http://127.0.0.1:49152/callback']);
  expect(text(one('toast'))).toContain('Redirect URI copied');
});

it('opens the page where a client is registered by the name of the profile, never by an address', async () => {
  const { backend } = await filling('keycloak');
  expect((one('open-registration') as HTMLButtonElement).disabled).toBe(true);
  expect(hintOf('open-registration')).toBe('Fill in the fields above, and this button opens the page.');
  type('variable-host', 'id.northwind.example');
  type('variable-realm', 'staff');
  await settle();
  expect(text(one('open-registration'))).toBe('Register a client at id.northwind.example');
  press('open-registration');
  await settle();
  expect(backend.asked).toEqual(['open the registration of keycloak host=id.northwind.example realm=staff']);
  expect(none('toast')).toBe(true);
});

it('names the page when no browser opens', async () => {
  await filling('google', { browserOpens: false });
  press('open-registration');
  await settle();
  expect(text(one('toast'))).toContain('Open https://console.cloud.google.com/apis/credentials yourself.');
});

it('warns before the sign-in of a service that ends the oldest one silently, and says what is known of it', async () => {
  await filling('github-oauth-app');
  const warning = one('live-limit');
  expect(text(warning)).toContain('GitHub (OAuth app) keeps 10 for one person and client. One more ends the oldest without a message');
  expect(warning.compareDocumentPosition(submit()) & Node.DOCUMENT_POSITION_FOLLOWING).toBeTruthy();
  const facts = text(one('service-facts'));
  for (const part of ['How long it lasts', 'No limit is published.', 'What a revocation there ends', 'https://github.com/settings/applications', 'Good to know', 'There is no refresh token']) {
    expect(facts).toContain(part);
  }
});

it('shows what the agent says beside the button, and keeps what was filled in', async () => {
  const { backend, sent } = await filling('keycloak');
  type('variable-host', 'nowhere.example');
  type('variable-realm', 'staff');
  type('client-id', 'desk');
  await settle();
  await send();
  expect(text(one('add-provider-failed'))).toContain('nowhere.example does not exist. Nothing was kept.');
  expect(one('add-provider-failed').getAttribute('role')).toBe('alert');
  expect(value('variable-host')).toBe('nowhere.example');
  type('variable-host', 'id.example');
  await settle();
  await send();
  expect(none('add-provider-failed')).toBe(true);
  expect(sent).toHaveLength(2);
  expect(backend.asked.at(-1)).toBe('sign in keycloak');
});

it('takes a service of OAuth 2 alone with its addresses by hand', async () => {
  const { sent } = await filling('other-oauth2');
  type('variable-issuer', 'https://forge.example');
  type('variable-authorization_endpoint', 'http://forge.example/authorize');
  type('variable-token_endpoint', 'https://forge.example/token');
  type('client-id', 'desk');
  await settle();
  expect(submit().disabled).toBe(true);
  expect(hintOf('variable-authorization_endpoint')).toContain('The address has to begin with https://.');
  type('variable-authorization_endpoint', 'https://forge.example/authorize');
  type('scopes', 'read write');
  type('client-secret', 's3');
  type('userinfo', 'https://api.forge.example/user');
  type('subject', 'id');
  await settle();
  expect(submit().disabled).toBe(true);
  type('subject', '/id');
  await settle();
  await send();
  expect(sent).toEqual([{
    name: 'forge.example', display_name: null, client_id: 'desk', scopes: ['read', 'write'], profile: 'generic-oauth2',
    variables: { issuer: 'https://forge.example', authorization_endpoint: 'https://forge.example/authorize', token_endpoint: 'https://forge.example/token' },
    client_secret: 's3', endpoints: { userinfo: 'https://api.forge.example/user' }, person: { subject: '/id', username: null },
  }]);
});

it('adds an OpenID Connect provider by its issuer and a client id alone', async () => {
  const { sent } = await filling('other-oidc');
  type('issuer', 'https://login.example');
  type('client-id', 'desk');
  await settle();
  await send();
  expect(sent).toEqual([{
    name: 'login.example', display_name: null, client_id: 'desk', scopes: ['openid', 'profile', 'email', 'offline_access'], issuer: 'https://login.example',
  }]);
});

/** Chooses in a list as a person does. */
async function choose(id: string, value: string): Promise<void> {
  const list = one(id) as unknown as HTMLSelectElement;
  expect([...list.options].map((option) => option.value)).toContain(value);
  list.value = value;
  list.dispatchEvent(new Event('change', { bubbles: true }));
  await settle();
}

it('has a client registered by the provider, with no client ID to fill in', async () => {
  const { backend, sent } = await filling('other-oidc');
  type('issuer', 'https://login.example');
  await settle();
  expect(submit().disabled).toBe(true);
  press('client-registered');
  await settle();
  expect(none('client-id')).toBe(true);
  expect(submit().disabled).toBe(false);
  await send();
  expect(sent).toEqual([{
    name: 'login.example', display_name: null, register: true, scopes: ['openid', 'profile', 'email', 'offline_access'], issuer: 'https://login.example',
  }]);
  expect(backend.asked).toEqual(['add provider login.example', 'sign in login.example']);
});

it('sends what allows to register a client and how it shall prove itself, and does not go on without what it has forgotten', async () => {
  const { backend, sent } = await filling('other-oidc');
  const add = backend.addProvider.bind(backend);
  let refusals = 1;
  backend.addProvider = (request) =>
    refusals-- > 0 ? add({ ...request, issuer: 'https://nowhere.example' }) : add(request);
  type('issuer', 'https://login.example');
  press('client-registered');
  await settle();
  await choose('client-authentication', 'client_secret_post');
  expect(none('client-secret')).toBe(true);
  type('initial-access-token', 'initial');
  await settle();
  await send();
  expect(sent[0]).toMatchObject({ register: true, initial_access_token: 'initial', client_authentication: 'client_secret_post' });
  expect(sent[0]).not.toHaveProperty('client_id');
  expect(hintOf('initial-access-token')).toBe('The token was sent and forgotten. Enter it again, or leave it out.');
  expect(submit().disabled).toBe(true);
  type('initial-access-token', '');
  await settle();
  await send();
  expect(sent[1]).not.toHaveProperty('initial_access_token');
});

it('says what to do where nobody registers clients in the words of the window, and what may be left there', async () => {
  const { backend } = await filling('other-oidc');
  const refusals = [
    failure('endpoint_missing', 'This provider registers no clients by itself.'),
    failure('provider_timed_out', 'No answer came. A client called Holdfast may be left at login.example: look for it there, and remove it.'),
  ];
  backend.addProvider = () => Promise.reject(refusals.shift());
  type('issuer', 'https://login.example');
  press('client-registered');
  await settle();
  await send();
  expect(text(one('add-provider-failed'))).toContain('This provider registers no clients by itself. Register a client there by hand, and choose “I have a client ID”.');
  await send();
  expect(text(one('add-provider-failed'))).toContain('A client called Holdfast may be left at login.example');
});

it('offers to register a client only where a program may ask for one', async () => {
  await filling('keycloak');
  expect(none('client-registered')).toBe(false);
  press('back');
  await settle();
  press('service-google');
  await settle();
  expect(none('client-registered')).toBe(true);
  press('back');
  await settle();
  press('service-microsoft-entra-work');
  await settle();
  expect(none('client-registered'), 'one address for everybody').toBe(true);
});

it('takes a key that is pasted for a client that signs, and for whom its statements are meant', async () => {
  const { sent } = await filling('other-oidc');
  type('issuer', 'https://login.example');
  type('client-id', 'desk');
  await settle();
  await choose('client-authentication', 'private_key_jwt');
  expect(none('client-secret')).toBe(true);
  expect(submit().disabled).toBe(true);
  const key = '-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----';
  type('client-key', `${key}\n`);
  type('assertion-audience', 'https://login.example');
  await settle();
  await send();
  expect(sent[0]).toMatchObject({
    client_id: 'desk', client_authentication: 'private_key_jwt', client_secret: key, assertion_audience: 'https://login.example',
  });
});

it('names a key that was chosen as a file, and never opens it', async () => {
  const { backend, sent } = await filling('okta');
  backend.chooseFiles = () => Promise.resolve(['/srv/keys/bank and key.pem']);
  type('variable-domain', 'northwind.okta.com');
  type('client-id', 'desk');
  await settle();
  await choose('client-authentication', 'tls_client_auth');
  expect(none('assertion-audience'), 'a certificate signs no statement').toBe(true);
  press('client-key-choose');
  await settle();
  expect(value('client-key-path')).toBe('/srv/keys/bank and key.pem');
  expect((one('client-key') as unknown as HTMLTextAreaElement).disabled, 'one of both').toBe(true);
  type('client-key-path', 'key.pem');
  await settle();
  expect(submit().disabled).toBe(true);
  expect(text(one('add-provider'))).toContain('The path has to begin with / or with ~/.');
  type('client-key-path', '');
  await settle();
  expect(submit().disabled).toBe(true);
  press('client-key-choose');
  await settle();
  await send();
  expect(sent[0]).toMatchObject({ client_authentication: 'tls_client_auth', client_secret_path: '/srv/keys/bank and key.pem' });
  expect(sent[0]).not.toHaveProperty('client_secret');
});

it('asks for a secret that signs like for any other', async () => {
  const { sent } = await filling('other-oidc');
  type('issuer', 'https://login.example');
  type('client-id', 'desk');
  await settle();
  await choose('client-authentication', 'client_secret_jwt');
  expect(submit().disabled).toBe(true);
  type('client-secret', 's3');
  await settle();
  await send();
  expect(sent[0]).toMatchObject({ client_authentication: 'client_secret_jwt', client_secret: 's3' });
  expect(sent[0]).not.toHaveProperty('assertion_audience');
});

it('sends another way of revocation with its address, which it cannot do without', async () => {
  const { sent } = await filling('other-oidc');
  type('issuer', 'https://login.example');
  type('client-id', 'desk');
  await settle();
  await choose('revocation', 'none');
  expect(hintOf('revocation')).toBe('No program can end them there. Only you can, on its page; otherwise they end by themselves.');
  expect(none('revocation-endpoint')).toBe(true);
  expect(submit().disabled).toBe(false);
  await choose('revocation', 'slack');
  expect(submit().disabled).toBe(true);
  type('revocation-endpoint', 'http://slack.example/api/auth.revoke');
  await settle();
  expect(submit().disabled).toBe(true);
  type('revocation-endpoint', 'https://slack.example/api/auth.revoke');
  await settle();
  await send();
  expect(sent[0]).toMatchObject({
    revocation: { way: 'slack', effect: null, user_url: null }, endpoints: { revocation: 'https://slack.example/api/auth.revoke' },
  });
});

it('says by which call tokens of a service are ended', async () => {
  await filling('github-oauth-app');
  expect(text(one('revocation-way'))).toBe('GitHub: the access token alone');
});

it('proposes another name for the second provider of a service', async () => {
  const { sent } = await filling('okta', { providers: undefined } as unknown as MockOptions);
  expect(value('display-name')).toBe('Okta 2');
  type('variable-domain', 'other.okta.com');
  type('client-id', 'desk');
  await settle();
  await send();
  expect(sent[0]).toMatchObject({ name: 'okta-2', display_name: 'Okta 2' });
});

it('does not add a provider twice when only its sign-in did not begin', async () => {
  const { backend, sent } = await filling('okta');
  backend.startSignIn = () => Promise.reject(failure('redirect_port_taken', 'Port 49152 is taken by another program.'));
  type('variable-domain', 'northwind.okta.com');
  type('client-id', 'desk');
  await settle();
  await send();
  expect(text(one('toast'))).toContain('Port 49152 is taken');
  expect(sent).toHaveLength(1);
  expect(text(one('provider-okta'))).toContain('Okta');
});

it('shows text of a profile as text', async () => {
  const evil = '<img src=x onerror=alert(1)>\u202Etxt';
  const { profile } = await import('../lib/backend/mock-profiles');
  await filling('evil', { profiles: [profile({
    name: 'evil', display_name: evil, protocol: 'oidc', issuer: 'https://{x}', notes: [evil], revocation_effect: evil,
    variables: [{ name: 'x', description: evil, default: null, choices: [] }],
  })] });
  expect(document.querySelector('img')).toBeNull();
  expect(document.body.textContent).not.toContain('\u202E');
});
