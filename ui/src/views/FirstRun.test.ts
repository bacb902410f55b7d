import { expect, it } from 'vitest';
import { sampleAccounts } from '../lib/backend/mock';
import { none, NOW, one, openWindow, press, settle, text, type } from '../test/window';

const off = () => (one('create-vault') as HTMLButtonElement).disabled;
const fresh = { vault: 'uninitialised' } as const;

it('makes a vault that the keyring or a passphrase opens, and goes on to the first account', async () => {
  const backend = await openWindow(fresh);
  expect((one('protection-either') as HTMLInputElement).checked).toBe(true);
  press('first-run-continue');
  await settle();
  expect(off()).toBe(true);

  type('passphrase', 'northwind1');
  type('passphrase-again', 'northwind1');
  press('understood');
  await settle();
  expect(one('strength').dataset.l).toBe('1');
  expect(off()).toBe(true);

  type('passphrase', 'copper thistle wagon mellow orbit');
  await settle();
  expect(off()).toBe(true);
  type('passphrase-again', 'copper thistle wagon mellow orbit');
  await settle();
  expect(off()).toBe(false);
  press('create-vault');
  await settle();
  expect(none('first-run-ready')).toBe(false);
  expect(backend.asked).toEqual(['init either']);
  expect(document.documentElement.outerHTML).not.toContain('thistle');
  press('first-run-add');
  await settle();
  expect(none('add-view')).toBe(false);
});

it('asks for no passphrase when only the keyring shall open the vault', async () => {
  const backend = await openWindow(fresh);
  press('protection-keyring');
  await settle();
  press('create-vault');
  await settle();
  expect(backend.asked).toEqual(['init keyring']);
  press('first-run-later');
  await settle();
  expect(none('accounts')).toBe(false);
});

it('says what failed and keeps the person where they were', async () => {
  const backend = await openWindow(fresh);
  backend.initVault = () => Promise.reject({ code: 'keyring_denied', message: 'The keyring refused access.', hint: null, retry_after_s: null });
  press('protection-keyring');
  await settle();
  press('create-vault');
  await settle();
  expect(text(one('first-run-failed'))).toContain('The keyring refused access.');
  expect((one('protection-keyring') as HTMLInputElement).checked).toBe(true);
});

it('offers only the passphrase where no keyring answers', async () => {
  await openWindow({ ...fresh, problem: 'keyring_absent' });
  expect((one('protection-either') as HTMLInputElement).disabled).toBe(true);
  expect((one('protection-passphrase') as HTMLInputElement).checked).toBe(true);
  expect(text(one('first-run'))).toContain('No keyring answers on this desktop.');
});

it('suggests a passphrase that has to be typed once more', async () => {
  await openWindow(fresh);
  press('first-run-continue');
  await settle();
  press('passphrase-suggest');
  press('understood');
  await settle();
  expect((one('passphrase') as HTMLInputElement).type).toBe('text');
  expect((one('passphrase') as HTMLInputElement).value.split(' ')).toHaveLength(6);
  expect(off()).toBe(true);
});

it('restores a backup instead, and asks about it before anything of it is used', async () => {
  const backend = await openWindow({ ...fresh, accounts: sampleAccounts(NOW) });
  press('first-run-restore');
  await settle();
  type('restore-path', 'holdfast.backup');
  type('restore-passphrase', 'wrong');
  await settle();
  expect((one('restore-submit') as HTMLButtonElement).disabled).toBe(true);
  type('restore-path', '~/holdfast.backup');
  await settle();
  press('restore-submit');
  await settle();
  expect(text(one('restore-failed'))).toContain('That passphrase does not open this backup');
  expect((one('restore-passphrase') as HTMLInputElement).value).toBe('');
  type('restore-passphrase', 'correct horse battery staple');
  await settle();
  press('restore-submit');
  await settle();
  expect(text(one('restore-done'))).toContain('15 accounts');
  expect(backend.asked).toEqual(Array(2).fill('restore ~/holdfast.backup for either'));
  press('restore-go');
  await settle();
  expect(one('standing').dataset.standing).toBe('restored');
});

it('goes back from restoring, and restores for a passphrase only where no keyring answers', async () => {
  await openWindow({ ...fresh, problem: 'keyring_absent' });
  press('first-run-restore');
  await settle();
  expect((one('restore-unlock') as HTMLSelectElement).value).toBe('passphrase');
  press('restore-back');
  await settle();
  expect(none('protection-passphrase')).toBe(false);
});

it('offers a recovery code once the vault is there, which can be left out', async () => {
  const backend = await openWindow(fresh);
  press('protection-keyring');
  await settle();
  press('create-vault');
  await settle();
  press('recovery-make');
  await settle();
  expect(text(one('recovery-code'))).toContain('K4QZ');
  press('first-run-later');
  await settle();
  expect(backend.asked).toEqual(['init keyring', 'make recovery code']);
  expect(document.documentElement.outerHTML).not.toContain('K4QZ');
});
