import { expect, it, vi } from 'vitest';
import { failure, sampleAccounts } from '../lib/backend/mock';
import { none, NOW, one, openWindow, press, settle, text, type } from '../test/window';

async function started(options = {}) {
  const backend = await openWindow({ accounts: [], now: () => Date.now(), ...options });
  press('add-account');
  await settle();
  press('provider-okta');
  await settle();
  return backend;
}

it('waits for the browser, and then shows what is held and until when', async () => {
  const backend = await started();
  expect(text(one('sign-in-waiting'))).toContain('Finish signing in to Okta in your browser');
  expect(text(one('sign-in-waiting'))).toContain('login.okta.example');
  await vi.advanceTimersByTimeAsync(42_000);
  expect(text(one('sign-in-elapsed'))).toBe('Waiting 0:42. The link is good for 10 min.');
  backend.finishSignIn('sign-in-1');
  await settle();
  expect(none('sign-in-waiting')).toBe(true);
  const done = one('sign-in-done');
  expect(text(done)).toContain('Okta is held');
  expect(text(done)).toContain('You will have to sign in again today 21:59, whatever happens.');
  expect(text(one('countdown-absolute', done))).toMatch(/^(8 h 00|7 h 59) m$/);
  press('sign-in-finish');
  await settle();
  expect(document.querySelector('[data-testid="account-row"][data-label="Okta"]')).not.toBeNull();
});

it('opens the browser again, copies the link, and cancels', async () => {
  const backend = await started();
  press('sign-in-again-link');
  press('sign-in-copy-link');
  await settle();
  expect(text(one('toast'))).toContain('Sign-in link copied');
  press('sign-in-cancel');
  await settle();
  expect(backend.asked.slice(1)).toEqual(['open sign-in-1', 'copy sign-in-1', 'cancel sign-in-1']);
  expect(none('add-view')).toBe(false);
});

it('tells the person to open the link when no browser opened', async () => {
  await started({ browserOpens: false });
  expect(text(one('sign-in-waiting'))).toContain('No browser opened. Copy the link');
});

it('says in three parts why there is no account, and tries again', async () => {
  const backend = await started();
  backend.failSignIn('sign-in-1', failure('access_denied', 'The provider answered access_denied: user is not assigned.'));
  await settle();
  const failed = text(one('sign-in-failed'));
  for (const part of ['What happened', 'user is not assigned', 'What Holdfast did', 'kept nothing', 'What you can do', 'HF-AUTH-03 · access_denied']) {
    expect(failed).toContain(part);
  }
  press('sign-in-retry');
  await settle();
  expect(none('sign-in-waiting')).toBe(false);
});

it('ends by itself when the time is over', async () => {
  const backend = await started();
  backend.failSignIn('sign-in-1', failure('sign_in_timed_out', 'Nobody came back from the browser in time.'), 'timed_out');
  await settle();
  expect(text(one('sign-in-failed'))).toContain('Nobody finished the sign-in');
});

it('adds a provider by its issuer and signs in there at once', async () => {
  const backend = await openWindow({ accounts: sampleAccounts(NOW) });
  press('add-account');
  await settle();
  press('provider-other');
  await settle();
  press('service-other-oidc');
  await settle();
  const submit = () => one('add-provider-submit') as HTMLButtonElement;
  expect(submit().disabled).toBe(true);
  type('issuer', 'http://login.example');
  type('client-id', 'desk');
  await settle();
  expect(submit().disabled).toBe(true);
  expect(text(one('add-provider'))).toContain('The address has to begin with https://.');
  type('issuer', 'https://login.nowhere.example');
  type('display-name', 'Nowhere Inc.');
  await settle();
  submit().click();
  await settle();
  expect(text(one('add-provider-failed'))).toContain('No such server');
  type('issuer', 'https://login.example');
  await settle();
  submit().click();
  await settle();
  expect(backend.asked).toEqual(['add provider nowhere-inc', 'add provider nowhere-inc', 'sign in nowhere-inc']);
  expect(text(one('sign-in-waiting'))).toContain('Nowhere Inc.');
});

it('accepts loopback addresses without TLS, for development', async () => {
  await openWindow({ accounts: sampleAccounts(NOW) });
  press('add-account');
  await settle();
  press('provider-other');
  await settle();
  press('service-other-oidc');
  await settle();
  type('client-id', 'desk');
  for (const issuer of ['http://127.0.0.1:4444', 'http://localhost:8080/realms/x']) {
    type('issuer', issuer);
    await settle();
    expect((one('add-provider-submit') as HTMLButtonElement).disabled, issuer).toBe(false);
  }
  type('issuer', 'http://localhost.evil.example');
  await settle();
  expect((one('add-provider-submit') as HTMLButtonElement).disabled).toBe(true);
});
