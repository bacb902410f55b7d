/* What must never be in the window: tokens, and ways for foreign text to become markup or code. */
import { expect, it } from 'vitest';
import type { AccountView } from '../lib/backend/backend';
import { sampleAccounts } from '../lib/backend/mock';
import { NOW, one, openWindow, press, row, settle, type } from '../test/window';

const sources = import.meta.glob<string>('../**/*.{svelte,ts}', { query: '?raw', import: 'default', eager: true });
const code = (path: string) =>
  (sources[path] ?? '').replace(/\/\*[\s\S]*?\*\/|<!--[\s\S]*?-->|^\s*\/\/.*$/gm, '');
const product = Object.keys(sources).filter((path) => !/\.test\.ts$|\/test\/|\/mock(?:-\w+)?\.ts$/.test(path));

const MARK = 'MARKED-SECRET-7f21';

/** An account as an agent with a bug would send it: with values beside every credential. */
function leaking(view: AccountView): AccountView {
  const secrets = {
    value: MARK, token: MARK, secret: MARK, access_token: MARK, refresh_token: MARK, id_token: MARK, client_secret: MARK,
    raw: MARK, jwt: MARK, cookie: MARK,
  };
  return {
    ...view, ...secrets,
    credentials: view.credentials.map((credential) => ({ ...credential, ...secrets })),
    ...(view.next ? { next: { ...view.next, ...secrets } } : {}),
    ...(view.reason ? { reason: { ...view.reason, ...secrets } } : {}),
    ...(view.trouble ? { trouble: { ...view.trouble, ...secrets } } : {}),
  };
}
const shows = () => document.documentElement.outerHTML + JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage }) + location.href + document.title;

it('renders no field that could hold a token, in any view, whatever the agent sends', async () => {
  const backend = await openWindow({ accounts: sampleAccounts(NOW).map(leaking) });
  expect(shows()).toContain('Northwind workforce');
  expect(shows()).not.toContain(MARK);
  for (const label of ['Northwind workforce', 'Staging realm', 'Northwind GitLab', 'Survey call', 'Guest']) {
    row(label).click();
    await settle();
    expect(one('account-page')).toBeTruthy();
    expect(shows(), label).not.toContain(MARK);
    press('back');
    await settle();
  }
  press('add-account');
  await settle();
  press('provider-okta');
  await settle();
  expect(shows()).not.toContain(MARK);
  backend.finishSignIn('sign-in-1');
  const made = [...backend.accounts.values()].at(-1);
  if (made) backend.put(leaking(made));
  await settle();
  expect(one('sign-in-done')).toBeTruthy();
  expect(shows()).not.toContain(MARK);
  press('sign-out-all');
  await settle();
  expect(shows()).not.toContain(MARK);
});

it('forgets a passphrase with the press that sends it', async () => {
  const backend = await openWindow({ vault: 'locked', passphrase: MARK });
  type('unlock-passphrase', MARK);
  await settle();
  let given: string | null = null;
  backend.unlockVault = (request) => {
    given = request.passphrase;
    return new Promise(() => undefined);
  };
  press('unlock-submit');
  await settle();
  expect(given).toBe(MARK);
  expect((one('unlock-passphrase') as HTMLInputElement).value).toBe('');
  expect(shows()).not.toContain(MARK);
});

it('forgets a key that was pasted, and what allows to register a client, with the press that sends them', async () => {
  const backend = await openWindow({ accounts: [], providers: [] });
  const given: (string | null | undefined)[] = [];
  backend.addProvider = (request) => {
    given.push(request.client_secret, request.initial_access_token);
    return new Promise((_, refuse) => void (given.length < 3 ? refuse({ code: 'provider_invalid', message: 'No.' }) : 0));
  };
  for (const id of ['add-account', 'provider-other', 'service-other-oidc']) {
    press(id);
    await settle();
  }
  type('issuer', 'https://login.example');
  type('client-id', 'desk');
  const how = one('client-authentication') as unknown as HTMLSelectElement;
  how.value = 'private_key_jwt';
  how.dispatchEvent(new Event('change', { bubbles: true }));
  await settle();
  type('client-key', `-----BEGIN PRIVATE KEY-----\n${MARK}\n-----END PRIVATE KEY-----\n`);
  await settle();
  press('add-provider-submit');
  await settle();
  expect(given).toEqual([`-----BEGIN PRIVATE KEY-----\n${MARK}\n-----END PRIVATE KEY-----`, undefined]);
  expect((one('client-key') as unknown as HTMLTextAreaElement).value).toBe('');
  press('client-registered');
  await settle();
  type('initial-access-token', MARK);
  await settle();
  press('add-provider-submit');
  await settle();
  expect(given.slice(2)).toEqual([undefined, MARK]);
  expect((one('initial-access-token') as HTMLInputElement).value).toBe('');
  expect(shows()).not.toContain(MARK);
});

it('forgets a key or a secret that was typed when another kind of client is chosen', async () => {
  await openWindow({ accounts: [], providers: [] });
  for (const id of ['add-account', 'provider-other', 'service-other-oidc']) {
    press(id);
    await settle();
  }
  type('client-secret', MARK);
  await settle();
  press('client-registered');
  await settle();
  press('client-brought');
  await settle();
  expect((one('client-secret') as HTMLInputElement).value).toBe('');
});

it('shows foreign text as text, never as markup', async () => {
  const evil = '<img src=x onerror=alert(1)>\u202Etxt.exe\u0007';
  const [view] = sampleAccounts(NOW).slice(5);
  if (!view) throw new Error('no account');
  await openWindow({ accounts: [{ ...view, label: evil, username: `${evil}${'x'.repeat(500)}`, provider_display_name: evil }] });
  expect(document.querySelector('.acc-row img')).toBeNull();
  const shown = document.querySelector('.acc-row')?.textContent ?? '';
  expect(shown).toContain('<img src=x onerror=alert(1)>\uFFFDtxt.exe\uFFFD');
  expect(shown).not.toMatch(/[\u202E\u0007]/);
  expect(shown.length).toBeLessThan(900);
});

it('has no call and no wire type that could carry a token into the window', () => {
  const fields = Object.keys(sources).filter((path) => path.includes('/generated/')).flatMap((path) =>
    [...code(path).matchAll(/^([a-z_]+)\??: ([^,]+),/gm)].map(([, name, of]) => `${path.split('/').pop()?.replace('.ts', '')}.${name}: ${of}`));
  const secret = fields.filter((field) => /\.\w*(token|secret|recovery_code|passphrase|password|ticket|jwt|cookie|_key)\w*: string/.test(field));
  expect(secret.map((field) => field.split(':')[0]).sort()).toEqual([
    // Into the agent only; a person fills them in.
    'AddProvider.client_secret', 'AddProvider.initial_access_token', 'InitVault.passphrase', 'ChangeKey.passphrase', 'ChangeKey.new_passphrase',
    'ImportFile.password', 'MakeBackup.passphrase', 'MakeBackup.backup_passphrase', 'MakeRecoveryCode.passphrase', 'RestoreVault.backup_passphrase',
    'RestoreVault.passphrase', 'ChangeKey.recovery_code', 'UnlockVault.recovery_code',
    // Out of the agent once, to be put on paper.
    'RecoveryCodeReply.recovery_code',
    // Words, not values: `Bearer`, and which kind of token a result speaks of.
    'RevocationResult.token', 'CredentialView.token_type', 'UnlockVault.passphrase',
    // An address, a path, and an instant.
    'Endpoints.token', 'AddProvider.client_secret_path', 'ProviderView.client_secret_expires_at',
    // Names of keys, which everybody may read.
    'AddProvider.client_key_id', 'ProviderView.client_key_id',
    // What kinds of token an exchange is about.
    'AddedFrom.subject_token_type', 'AddedFrom.requested_token_type',
  ].sort());
  const commands = [...code('../lib/backend/tauri.ts').matchAll(/invoke(?:<[^>]*>)?\('([a-z_]+)'/g)].map(([, name]) => name);
  expect(commands).toHaveLength(29);
  for (const command of commands) expect(command).not.toMatch(/token|reveal|copy_(?!sign_in_link|recovery_code)/);
});

it('asks for passphrases, passwords of files, client secrets and the recovery code only, through one part', () => {
  const asking = product.filter((path) => /['"]password['"]/.test(code(path)));
  expect(asking).toEqual(['../lib/ui/PassphraseField.svelte']);
  const using = product.filter((path) => /<PassphraseField\b/.test(code(path)));
  expect(using.map((path) => path.split('/').pop()).sort()).toEqual([
    'AddProvider.svelte', 'Import.svelte', 'NewPassphrase.svelte', 'RecoveryCode.svelte', 'Restore.svelte', 'Unlock.svelte', 'VaultBackup.svelte', 'VaultKey.svelte',
  ]);
});

it('takes keys of several lines through one part, whose letters are dots until somebody asks to see them', async () => {
  const asking = product.filter((path) => /<textarea\b/.test(code(path)));
  expect(asking).toEqual(['../lib/ui/KeyField.svelte']);
  const using = product.filter((path) => /<KeyField\b/.test(code(path)));
  expect(using.map((path) => path.split('/').pop())).toEqual(['AddSource.svelte', 'ProofFields.svelte']);
  const field = code('../lib/ui/KeyField.svelte');
  expect(field).toContain('let visible = $state(false)');
  expect(field).toMatch(/dots: !visible/);
});

it('keeps to what the content security policy allows', () => {
  expect(product.length).toBeGreaterThan(40);
  for (const path of product) {
    const source = code(path);
    expect(source, path).not.toMatch(/\{@html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/);
    expect(source, path).not.toMatch(/\sstyle=/);
    expect(source, path).not.toMatch(/\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon/);
    expect(source, path).not.toMatch(/setInterval|console\./);
    if (!path.endsWith('/theme.svelte.ts')) expect(source, path).not.toMatch(/localStorage|sessionStorage|indexedDB/);
    if (!path.endsWith('/tauri.ts')) expect(source, path).not.toMatch(/@tauri-apps/);
  }
});
