import { expect, it, vi } from 'vitest';
import { failure, type MockOptions, sampleAccounts } from '../lib/backend/mock';
import { modules, outline } from '../lib/qr';
import { vault } from '../lib/vault.svelte';
import { none, NOW, one, openWindow, press, row, settle, text } from '../test/window';

async function waiting(options: MockOptions = {}) {
  const backend = await openWindow({ accounts: [], now: () => Date.now(), ...options });
  press('add-account');
  await settle();
  press('provider-okta');
  await settle();
  return backend;
}

async function withCode(options: MockOptions = {}) {
  const backend = await waiting(options);
  press('sign-in-by-code');
  await settle();
  return backend;
}

const drawn = () => one('sign-in-qr').querySelector('path')?.getAttribute('d');

it('shows a code for another device, and gives the sign-in with the browser up', async () => {
  const backend = await waiting();
  expect(text(one('sign-in-waiting'))).toContain('Use a code on another device');
  press('sign-in-by-code');
  await settle();
  expect(backend.asked).toEqual(['sign in okta', 'sign in okta by code', 'cancel sign-in-1']);
  const shown = one('sign-in-code');
  expect(text(shown)).toContain('Sign in to Okta on any device');
  expect(document.activeElement).toBe(shown.querySelector('h2'));
  expect(text(one('sign-in-page'))).toBe('login.okta.example/device');
  expect(text(one('sign-in-user-code'))).toBe('WDJB-MJHT');
  expect(one('sign-in-user-code').getAttribute('aria-label')).toBe('W D J B, M J H T');
  expect(text(one('sign-in-foreign'))).toContain('Never type a code that somebody else sent you');
});

it('draws the page with the code in it, and says what the picture is for', async () => {
  await withCode();
  const picture = one('sign-in-qr');
  expect(drawn()).toBe(outline(modules('https://login.okta.example/device?user_code=WDJB-MJHT') ?? []));
  expect(picture.getAttribute('role')).toBe('img');
  const title = picture.querySelector('title');
  expect(title?.textContent).toBe('QR code that opens the page for the code');
  expect(picture.getAttribute('aria-labelledby')).toBe(title?.id);
});

it('draws the plain page where the provider has none with the code in it', async () => {
  await withCode({ codes: 'plain' });
  expect(drawn()).toBe(outline(modules('https://login.okta.example/device') ?? []));
});

it('draws no picture of an address that is no web page, and opens none', async () => {
  const backend = await withCode();
  const signIn = backend.signIns.get('sign-in-2');
  if (!signIn) throw new Error('no sign-in');
  const device = { verification_uri: 'tel:+4700000000', verification_uri_complete: 'WIFI:S:free;;', user_code: 'WDJB-MJHT' };
  vault.signIns = new Map([['sign-in-2', { ...signIn, device }]]);
  await settle();
  expect(none('sign-in-qr')).toBe(true);
  expect((one('sign-in-open-here') as HTMLButtonElement).disabled).toBe(true);
});

it('counts down to the end of the code', async () => {
  await withCode();
  expect(text(one('sign-in-code-left'))).toBe('Waiting. The code ends in 15:00.');
  await vi.advanceTimersByTimeAsync(42_000);
  expect(text(one('sign-in-code-left'))).toBe('Waiting. The code ends in 14:18.');
  await vi.advanceTimersByTimeAsync(15 * 60_000);
  expect(text(one('sign-in-code-left'))).toBe('The code has ended.');
});

it('copies the code, opens its page here, and cancels', async () => {
  const backend = await withCode();
  const copied: string[] = [];
  Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: async (what: string) => void copied.push(what) } });
  press('sign-in-copy-code');
  await settle();
  Reflect.deleteProperty(navigator, 'clipboard');
  expect(copied).toEqual(['WDJB-MJHT']);
  expect(text(one('toast'))).toContain('Code copied');
  press('sign-in-open-here');
  press('sign-in-cancel');
  await settle();
  expect(backend.asked.slice(3)).toEqual(['open sign-in-2', 'cancel sign-in-2']);
  expect(none('add-view')).toBe(false);
});

it('says which page to open when no browser opened', async () => {
  await withCode({ browserOpens: false });
  press('sign-in-open-here');
  await settle();
  expect(text(one('toast'))).toContain('Open login.okta.example/device yourself, here or on another device.');
});

it('goes back to the browser, and gives the code up', async () => {
  const backend = await withCode();
  press('sign-in-by-browser');
  await settle();
  expect(none('sign-in-code')).toBe(true);
  expect(none('sign-in-waiting')).toBe(false);
  expect(backend.asked.slice(3)).toEqual(['sign in okta', 'cancel sign-in-2']);
});

it('ends in the held account as with the browser', async () => {
  const backend = await withCode();
  backend.exchange('sign-in-2');
  await settle();
  expect(text(one('sign-in-code'))).toContain('You signed in on the other device. Keeping the account.');
  expect(none('sign-in-user-code')).toBe(true);
  expect((one('sign-in-by-browser') as HTMLButtonElement).disabled).toBe(true);
  backend.finishSignIn('sign-in-2');
  await settle();
  expect(text(one('sign-in-done'))).toContain('Okta is held');
});

it('signs the account in again that asked for it, also by a code and after a failure', async () => {
  const backend = await openWindow({ accounts: sampleAccounts(NOW) });
  one('row-sign-in', row('Staging realm')).click();
  await settle();
  press('sign-in-by-code');
  await settle();
  backend.failSignIn('sign-in-2', failure('access_denied', 'The provider answered access_denied.'));
  await settle();
  press('sign-in-retry');
  await settle();
  press('sign-in-by-browser');
  await settle();
  const asked = backend.asked.filter((line) => line.startsWith('sign in')).map((line) => line.replace(/^sign in \S+ /, ''));
  expect(asked).toEqual(['as Staging realm', 'as Staging realm by code', 'as Staging realm by code', 'as Staging realm']);
});

it('says of a code that ended what became of it, and begins another one', async () => {
  const backend = await withCode();
  backend.failSignIn('sign-in-2', failure('sign_in_timed_out', 'Nobody came back from the browser in time.', 'Start again.'), 'timed_out');
  await settle();
  const failed = text(one('sign-in-failed'));
  expect(failed).toContain('Nobody typed the code in time.');
  expect(failed).toContain('Stopped asking the provider, and kept nothing.');
  expect(failed).not.toMatch(/browser in time|Closed the port|The link/);
  press('sign-in-retry');
  await settle();
  expect(text(one('sign-in-user-code'))).toBe('WDJB-MJHT');
  expect(backend.asked.at(-1)).toBe('sign in okta by code');
});

it('says that a provider has no codes, and leaves the browser waiting', async () => {
  const backend = await withCode({ codes: 'none' });
  expect(text(one('sign-in-no-codes'))).toContain('Okta offers no codes for other devices');
  expect(text(one('sign-in-no-codes'))).toContain('Sign in with the browser on this computer.');
  expect(none('sign-in-by-code')).toBe(true);
  expect(none('toast')).toBe(true);
  expect(backend.asked).toEqual(['sign in okta', 'sign in okta by code']);
  backend.finishSignIn('sign-in-1');
  await settle();
  expect(none('sign-in-done')).toBe(false);
});

it('says so too when a provider has no codes any more, on the page of one that ended', async () => {
  const backend = await withCode();
  backend.failSignIn('sign-in-2', failure('access_denied', 'The provider answered access_denied.'));
  await settle();
  backend.startSignIn = () => Promise.reject(failure('endpoint_missing', 'It has no device_authorization_endpoint.'));
  press('sign-in-retry');
  await settle();
  expect(text(one('toast'))).toContain('Okta offers no codes for other devices');
  expect((one('sign-in-by-browser') as HTMLButtonElement).disabled).toBe(false);
});

it('drops a code that comes after the browser came back', async () => {
  const backend = await waiting({ pace: 1_000 });
  press('sign-in-by-code');
  await settle();
  backend.exchange('sign-in-1');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(none('sign-in-waiting')).toBe(false);
  expect(backend.asked.slice(2)).toEqual(['cancel sign-in-2']);
});

it('drops a code that comes after the person left', async () => {
  const backend = await waiting({ pace: 1_000 });
  press('sign-in-by-code');
  await settle();
  press('sign-in-cancel');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(none('add-view')).toBe(false);
  expect(backend.asked.slice(2)).toEqual(['cancel sign-in-1', 'cancel sign-in-2']);
});
