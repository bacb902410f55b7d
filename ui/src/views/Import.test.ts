import { expect, it, vi } from 'vitest';
import type { AccountView, ImportedFile } from '../lib/backend/backend';
import { failure, type MockOptions, provider, sampleAccounts } from '../lib/backend/mock';
import { announcer } from '../lib/announce.svelte';
import { none, NOW, one, openWindow, press, settle, text, type } from '../test/window';

/** Milliseconds that an import takes where that matters. */
const PACE = 1_000;
const PASSWORD = 'MARKED-password-of-a-file';
const [first, second] = sampleAccounts(NOW) as [AccountView, AccountView];
const shows = () => document.documentElement.outerHTML;
/** What stands in the fields; it is no part of the markup. */
const typed = () => [...document.querySelectorAll('input, textarea')].map((field) => (field as HTMLInputElement).value).join('\n');
const off = (id: string) => (one(id) as HTMLButtonElement).disabled;
const all = (id: string) => [...document.querySelectorAll<HTMLElement>(`[data-testid="${id}"]`)];

const account = (label: string, more: Partial<Extract<ImportedFile, { kind: 'oidc_agent' }>['imported']> = {}): ImportedFile => ({
  kind: 'oidc_agent',
  imported: {
    account: { ...first, label }, outcome: 'imported', provider_added: false, rotated: true,
    notes: ['Have oidc-agent forget the account (oidc-add --remove work).'], ...more,
  },
});
const list: ImportedFile = {
  kind: 'tokens',
  tokens: [
    { account: { ...first, label: 'ci', provider_display_name: 'npm' }, outcome: 'added' },
    { account: { ...second, label: 'build<b>\u202E', provider_display_name: 'github' }, outcome: 'unchanged' },
  ],
};
const FILES: NonNullable<MockOptions['files']> = {
  '~/list.csv': { brings: list },
  '/agent/work': { password: PASSWORD, brings: account('work', { provider_added: true }) },
  '/agent/grid': { password: 'another one', brings: account('grid') },
  '/company.toml': { brings: { kind: 'providers', providers: [provider('company', 'Company')] } },
  '/broken.csv': { brings: failure('import_invalid', 'Line 4: token is missing.', 'Nothing was imported. Correct that place.') },
};

async function openImport(options: Parameters<typeof openWindow>[0] = {}) {
  const backend = await openWindow({ accounts: [first], files: FILES, ...options });
  press('add-account');
  await settle();
  press('add-import');
  await settle();
  return backend;
}
const file = (name: string) => {
  const found = all('import-file').filter((one) => one.dataset['name'] === name);
  if (found.length !== 1 || !found[0]) throw new Error(`${found.length} files are called ${name}`);
  return found[0];
};
const named = (element: Element | null) => text(document.getElementById(element?.getAttribute('aria-labelledby') ?? '') ?? document.body);
const reopen = async (backend: Awaited<ReturnType<typeof openImport>>) => {
  await Promise.all([backend.unlockVault({ passphrase: 'correct horse battery staple' }), vi.advanceTimersByTimeAsync(PACE)]);
  await settle();
};
const lines = (name: string) => [...file(name).querySelectorAll('[data-testid="import-line"]')].map((line) => [...line.children].map(text));

it('is reached from adding an account and from the vault, and takes a file that is typed', async () => {
  const backend = await openImport();
  expect(document.activeElement).toBe(one('import-path'));
  expect(off('import-submit')).toBe(true);
  type('import-path', 'list.csv');
  await settle();
  expect(text(one('import'))).toContain('Begin it with / or ~/.');
  expect(off('import-submit')).toBe(true);
  type('import-path', ' ~/list.csv ');
  await settle();
  press('import-submit');
  await settle();
  expect(backend.asked).toEqual(['import ~/list.csv']);
  expect(file('list.csv').dataset['stage']).toBe('done');
  expect(lines('list.csv')).toEqual([
    ['ci', 'npm', 'New. Holdfast keeps it.'], ['build<b>\uFFFD', 'github', 'Was here already. Nothing changed.'],
  ]);
  expect(text(one('import-summary'))).toBe('1 of 2 tokens are new. Delete the list now: it holds them in the clear.');
  expect(announcer.text).toContain('list.csv: 1 of 2 tokens are new.');
  expect(none('toast')).toBe(true);

  press('nav-vault');
  await settle();
  press('vault-import');
  await settle();
  expect(one('import')).toBeTruthy();
});

it('says of a file that was refused where and why, and that nothing of it was taken', async () => {
  const backend = await openImport({ chosen: ['/broken.csv', '/company.toml', '/none'] });
  press('import-choose');
  await settle();
  expect(file('broken.csv').dataset['stage']).toBe('failed');
  expect(text(file('broken.csv'))).toMatch(/Not imported.*Line 4: token is missing\. Nothing was imported\./);
  expect(text(file('none'))).toContain('there is no such file');
  // One file that fails keeps no other from its turn.
  expect(lines('company.toml')).toEqual([['company', 'https://login.company.example', 'New in the list of providers.']]);

  FILES['/broken.csv'] = { brings: list };
  one('import-again', file('broken.csv')).click();
  await settle();
  expect(file('broken.csv').dataset['stage']).toBe('done');
  one('import-leave-out', file('none')).click();
  await settle();
  expect(all('import-file')).toHaveLength(2);
  expect(backend.asked.filter((asked) => asked.startsWith('import'))).toHaveLength(4);
});

it('asks once for the password of all files that need one, and keeps it nowhere', async () => {
  const backend = await openImport({ chosen: ['/agent/work', '/agent/grid'] });
  press('import-choose');
  await settle();
  expect(text(one('import-ask'))).toContain('2 files need the password that oidc-agent gave them');
  expect(document.activeElement).toBe(one('import-password'));
  expect(none('import-wrong') && off('import-open')).toBe(true);

  type('import-password', PASSWORD);
  await settle();
  press('import-open');
  await settle();
  expect(file('work').dataset['stage']).toBe('done');
  expect(lines('work')).toEqual([
    ['work', first.provider_display_name, 'New. Signed in, and renewed from here on.'],
    [first.provider, first.issuer, 'New in the list of providers.'],
  ]);
  expect(text(file('work'))).toContain('oidc-add --remove work');
  expect(file('grid').dataset['stage']).toBe('wrong');
  expect(text(one('import-wrong'))).toBe('That password does not open the file.');
  expect(document.activeElement).toBe(one('import-password'));
  expect((one('import-password') as HTMLInputElement).value).toBe('');
  expect(shows() + typed()).not.toContain(PASSWORD);

  type('import-password', 'another one');
  await settle();
  press('import-open');
  await settle();
  expect(none('import-ask')).toBe(true);
  expect(backend.asked.slice(1)).toEqual([
    'import /agent/work', 'import /agent/grid', 'import /agent/work with a password', 'import /agent/grid with a password',
    'import /agent/grid with a password',
  ]);
});

it('takes files that are dropped anywhere, and says before that it will', async () => {
  const backend = await openWindow({ accounts: [first], files: FILES });
  backend.drag({ files: 'over' });
  await settle();
  expect(text(one('dropping'))).toContain('Drop to import');
  backend.drag({ files: 'gone' });
  await settle();
  expect(none('dropping')).toBe(true);
  backend.drag({ files: 'over' });
  backend.drag({ files: 'dropped', paths: ['/company.toml', '/company.toml'] });
  await settle();
  expect(none('dropping')).toBe(true);
  expect(file('company.toml').dataset['stage']).toBe('done');
  backend.drag({ files: 'dropped', paths: ['~/list.csv'] });
  await settle();
  expect(all('import-file').map(({ dataset }) => dataset['name'])).toEqual(['company.toml', 'list.csv']);
  expect(backend.asked).toEqual(['import /company.toml', 'import ~/list.csv']);
});

it('does not leave a page that would lose what it shows for files that are dropped', async () => {
  const backend = await openWindow({ accounts: [first], files: FILES });
  press('nav-vault');
  await settle();
  backend.drag({ files: 'dropped', paths: ['/company.toml'] });
  await settle();
  expect(text(one('toast'))).toContain('Nothing was imported');
  expect(none('vault-check')).toBe(false);
  expect(backend.asked).toEqual([]);
});

it('imports nothing into a vault that nobody decided about', async () => {
  const backend = await openWindow({ accounts: [first], files: FILES, standing: 'older' });
  backend.drag({ files: 'dropped', paths: ['/company.toml'] });
  await settle();
  expect(text(one('toast'))).toContain('Decide about this copy of the vault first');
  press('nav-vault');
  await settle();
  press('vault-import');
  await settle();
  type('import-path', '/company.toml');
  await settle();
  expect(off('import-submit') && off('import-choose')).toBe(true);
  expect(backend.asked).toEqual([]);
});

it('takes nothing and shows no page of its own while the vault is locked, or not there yet', async () => {
  const backend = await openImport();
  for (const lock of [false, true]) {
    if (lock) backend.lock('asked');
    await settle();
    backend.drag({ files: 'over' });
    await settle();
    expect(none('dropping')).toBe(lock);
    backend.drag({ files: 'dropped', paths: ['/company.toml'] });
    await settle();
    expect(none('import')).toBe(lock);
  }
  await reopen(backend);
  expect(none('import') && !none('accounts')).toBe(true);
  expect(backend.asked).toEqual(['import /company.toml', 'unlock with passphrase']);

  const first_run = await openWindow({ vault: 'uninitialised', files: FILES });
  first_run.drag({ files: 'dropped', paths: ['/company.toml'] });
  await settle();
  expect(none('import') && none('first-run') === false).toBe(true);
  expect(first_run.asked).toEqual([]);
});

it('goes on while another page is shown, and shows afterwards what became of it', async () => {
  const backend = await openImport({ chosen: ['/company.toml', '/agent/work', '/none'], pace: PACE });
  press('import-choose');
  await settle();
  expect(['company.toml', 'work'].map((name) => file(name).dataset['stage'])).toEqual(['running', 'waiting']);
  press('nav-vault');
  await settle();
  expect(none('import')).toBe(true);
  await vi.advanceTimersByTimeAsync(3 * PACE);
  expect(announcer.text).toMatch(/^company\.toml: 1 provider is new\. work: Needs its password\. none: Not imported\. .*no such file/);
  expect(text(one('toast'))).toMatch(/^1 file imported, 1 not imported, 1 needs its password Vault, then/);
  press('vault-import');
  await settle();
  expect(all('import-file').map(({ dataset }) => `${dataset['name']} ${dataset['stage']}`)).toEqual(
    ['company.toml done', 'work sealed', 'none failed']);
  expect(document.activeElement).toBe(one('import-password'));
  one('import-leave-out', file('company.toml')).click();
  await settle();
  expect(all('import-file')).toHaveLength(2);
  expect(backend.asked.slice(1)).toEqual(['import /company.toml', 'import /agent/work', 'import /none']);
});

it('begins nothing more once the vault is locked, and shows and says nothing of it any more', async () => {
  const backend = await openImport({ chosen: ['~/list.csv', '/company.toml'], pace: PACE });
  press('import-choose');
  await settle();
  backend.lock('asked');
  await vi.advanceTimersByTimeAsync(3 * PACE);
  expect(backend.asked.slice(1)).toEqual(['import ~/list.csv']);
  expect(announcer.text).toBe('');
  expect(shows()).not.toMatch(/list\.csv|company/);
  await reopen(backend);
  press('nav-vault');
  await settle();
  press('vault-import');
  await settle();
  expect(all('import-file')).toEqual([]);

  // It takes files as before, also where the same file was under way at the lock.
  type('import-path', '~/list.csv');
  await settle();
  press('import-submit');
  await vi.advanceTimersByTimeAsync(2 * PACE);
  expect(file('list.csv').dataset['stage']).toBe('done');
  expect(announcer.text).toContain('list.csv: 1 of 2 tokens are new.');
  backend.lock('asked');
  await settle();
  expect(announcer.text).toBe('');
  expect(shows()).not.toContain('list.csv');
});

it('begins nothing more either when the agent says before its event that the vault is locked', async () => {
  const backend = await openImport({ chosen: ['~/list.csv', '/company.toml'] });
  const asked: string[] = [];
  backend.importFile = async ({ path }) => {
    asked.push(path);
    throw failure('vault_locked', 'The vault is locked.');
  };
  press('import-choose');
  await settle();
  expect(asked).toEqual(['~/list.csv']);
  expect(all('import-file')).toEqual([]);
  expect(announcer.text).toBe('');
});

it('drops at a lock the password that is being tried, the one that is typed, and what a dialog answers later', async () => {
  const backend = await openImport({ chosen: ['/agent/work', '/agent/grid'], pace: PACE });
  press('import-choose');
  await vi.advanceTimersByTimeAsync(3 * PACE);
  type('import-password', PASSWORD);
  await settle();
  press('import-open');
  await settle();
  let answer: (paths: string[]) => void = () => undefined;
  backend.chooseFiles = () => new Promise((resolve) => (answer = resolve));
  press('import-choose');
  await settle();
  backend.lock('asked');
  await settle();
  answer(['/company.toml']);
  await vi.advanceTimersByTimeAsync(3 * PACE);
  expect(none('toast')).toBe(true);
  expect(backend.asked.slice(1)).toEqual(['import /agent/work', 'import /agent/grid', 'import /agent/work with a password']);
  await reopen(backend);
  expect(text(one('toast'))).toContain('Nothing was imported The vault was locked while the files were chosen.');
  press('nav-vault');
  await settle();
  press('vault-import');
  await settle();
  expect(all('import-file')).toEqual([]);
  expect(none('import-ask')).toBe(true);

  // One that was typed and not sent.
  backend.chooseFiles = () => Promise.resolve(['/agent/work']);
  press('import-choose');
  await vi.advanceTimersByTimeAsync(2 * PACE);
  type('import-password', PASSWORD);
  await settle();
  const field = one('import-password');
  expect(typed()).toContain(PASSWORD);
  backend.lock('asked');
  await settle();
  expect(field.isConnected).toBe(false);
  await reopen(backend);
  expect(shows() + typed()).not.toContain(PASSWORD);
  backend.drag({ files: 'dropped', paths: ['/agent/work'] });
  await vi.advanceTimersByTimeAsync(2 * PACE);
  expect((one('import-password') as HTMLInputElement).value).toBe('');
});

it('gives each file a name, keeps its place when it is tried again, and never leaves the keyboard without one', async () => {
  await openImport({ chosen: ['/none', '/folder/none-either', '/agent/work'] });
  press('import-choose');
  await settle();
  expect(all('import-file').map(named)).toEqual(['none', 'none-either', 'work']);
  const again = one('import-again', file('none'));
  again.focus();
  again.click();
  await settle();
  expect(all('import-file').map(named)).toEqual(['none', 'none-either', 'work']);
  expect(document.activeElement).toBe(file('none'));
  // Unless it needs a password now.
  FILES['/none'] = { password: 'x', brings: list };
  one('import-again', file('none')).click();
  await settle();
  expect(document.activeElement).toBe(one('import-password'));
  delete FILES['/none'];

  for (const [left, then] of [['none', 'none-either'], ['none-either', 'work']] as const) {
    const leave = one('import-leave-out', file(left));
    leave.focus();
    leave.click();
    await settle();
    expect(document.activeElement).toBe(file(then));
  }
  type('import-password', PASSWORD);
  await settle();
  one('import-open').focus();
  press('import-open');
  await settle();
  expect(document.activeElement).toBe(file('work'));
  one('import-leave-out', file('work')).click();
  await settle();
  expect(document.activeElement).toBe(one('import-path'));
});

it('leaves the keyboard with the file that is being opened, and alone where it went meanwhile', async () => {
  const backend = await openImport({ chosen: ['/agent/work'], pace: PACE });
  press('import-choose');
  await vi.advanceTimersByTimeAsync(2 * PACE);
  const opens = async (password: string, meanwhile: () => void) => {
    type('import-password', password);
    await settle();
    one('import-password').focus();
    press('import-open');
    await settle();
    expect(document.activeElement).toBe(file('work'));
    meanwhile();
    await vi.advanceTimersByTimeAsync(2 * PACE);
  };
  await opens('wrong', () => undefined);
  expect(document.activeElement).toBe(one('import-password'));
  const elsewhere = () => {
    one('import-path').focus();
    type('import-path', '/so');
  };
  await opens('wrong', elsewhere);
  expect(document.activeElement).toBe(one('import-path'));
  await opens(PASSWORD, elsewhere);
  expect(file('work').dataset['stage']).toBe('done');
  expect(document.activeElement).toBe(one('import-path'));

  FILES['/late'] = { brings: failure('import_invalid', 'Not yet.') };
  backend.drag({ files: 'dropped', paths: ['/late'] });
  await vi.advanceTimersByTimeAsync(2 * PACE);
  FILES['/late'] = { password: 'x', brings: list };
  one('import-again', file('late')).click();
  await settle();
  elsewhere();
  await vi.advanceTimersByTimeAsync(2 * PACE);
  delete FILES['/late'];
  expect(file('late').dataset['stage']).toBe('sealed');
  expect(document.activeElement).toBe(one('import-path'));
});

it('says at the field what is wrong with a path, and not before it can be known', async () => {
  await openImport();
  const field = one('import-path');
  const described = () => (field.getAttribute('aria-describedby') ?? '').split(' ').map((id) => document.getElementById(id));
  for (const fits of ['/', '~', '~/', ' /a', '~/a']) {
    type('import-path', fits);
    await settle();
    expect(field.hasAttribute('aria-invalid'), fits).toBe(false);
    expect(described().map((part) => part?.getAttribute('role') ?? null), fits).toEqual([null]);
  }
  for (const wrong of ['list.csv', '~mara/list.csv', '~a']) {
    type('import-path', wrong);
    await settle();
    expect(field.getAttribute('aria-invalid'), wrong).toBe('true');
    const [said, hint] = described();
    expect(said?.getAttribute('role')).toBe('alert');
    expect(text(said as Element)).toBe('Begin it with / or ~/.');
    expect(hint).toBeTruthy();
  }
});
