import { expect, it } from 'vitest';
import type { AccountView, ImportedFile } from '../lib/backend/backend';
import { failure, provider, sampleAccounts } from '../lib/backend/mock';
import { announcer } from '../lib/announce.svelte';
import { none, NOW, one, openWindow, press, settle, text, type } from '../test/window';

const PASSWORD = 'MARKED-password-of-a-file';
const [first, second] = sampleAccounts(NOW) as [AccountView, AccountView];
const shows = () => document.documentElement.outerHTML;
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
const FILES = {
  '~/list.csv': { brings: list },
  '/agent/work': { password: PASSWORD, brings: account('work', { provider_added: true }) },
  '/agent/grid': { password: 'another one', brings: account('grid') },
  '/company.toml': { brings: { kind: 'providers', providers: [provider('company', 'Company')] } satisfies ImportedFile },
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

  FILES['/broken.csv'].brings = list as never;
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
  expect(shows()).not.toContain(PASSWORD);

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

it('imports nothing into a vault that nobody decided about, nor into a locked one', async () => {
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
  backend.lock('asked');
  await settle();
  backend.drag({ files: 'over' });
  await settle();
  expect(none('dropping')).toBe(true);
  expect(backend.asked).toEqual([]);
});
