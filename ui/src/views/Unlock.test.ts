import { expect, it, vi } from 'vitest';
import { announce, announcer } from '../lib/announce.svelte';
import { sampleAccounts } from '../lib/backend/mock';
import { toasts } from '../lib/toasts.svelte';
import { none, NOW, one, openWindow, press, settle, text, type } from '../test/window';

const field = () => one('unlock-passphrase') as HTMLInputElement;
async function attempt(passphrase: string): Promise<void> {
  type('unlock-passphrase', passphrase);
  await settle();
  press('unlock-submit');
  await settle();
}

it('says that a passphrase was wrong, empties the field, and opens with the right one', async () => {
  const backend = await openWindow({ vault: 'locked', accounts: sampleAccounts(NOW) });
  expect(none('accounts')).toBe(true);
  await attempt('not it');
  expect(text(one('unlock-wrong'))).toBe('That passphrase does not open this vault.');
  expect(field().value).toBe('');
  expect(field().getAttribute('aria-invalid')).toBe('true');
  await attempt('still not it');
  expect(text(one('unlock-wrong'))).toBe('That passphrase does not open this vault. 2 tries in a row.');
  await attempt('it was this one, surely');
  expect(text(one('unlock-wrong'))).toContain('the vault file may have been changed: that cannot be told apart');
  await attempt('correct horse battery staple');
  expect(none('unlock')).toBe(true);
  expect(none('accounts')).toBe(false);
  expect(backend.asked).toEqual(Array(4).fill('unlock with passphrase'));
});

it('says nothing while it is locked of what was under way, and keeps what failed on the screen', async () => {
  await openWindow({ vault: 'locked' });
  toasts.show('The keyring did not work', '', 'bad');
  announce('list.csv: 2 tokens are new.');
  await settle();
  expect(announcer.text).toBe('');
  expect(text(one('toast'))).toContain('The keyring did not work');
});

it('makes each try wait after five wrong ones, and lets go by itself', async () => {
  const backend = await openWindow({ vault: 'locked', now: () => Date.now() });
  for (let i = 0; i < 6; i += 1) await attempt('wrong');
  expect(text(document.body)).toContain('You can try again in 0:05. Nothing is erased.');
  type('unlock-passphrase', 'correct horse battery staple');
  await settle();
  expect((one('unlock-submit') as HTMLButtonElement).disabled).toBe(true);
  expect(backend.asked).toHaveLength(6);
  await vi.advanceTimersByTimeAsync(6000);
  expect((one('unlock-submit') as HTMLButtonElement).disabled).toBe(false);
  press('unlock-submit');
  await settle();
  expect(none('accounts')).toBe(false);
});

it('waits as long as the agent says when others tried before', async () => {
  const backend = await openWindow({ vault: 'locked', now: () => Date.now() });
  vi.spyOn(backend, 'unlockVault').mockRejectedValueOnce(
    { code: 'too_many_tries', message: 'Too many wrong passphrases; this one was not tried.', hint: null, retry_after_s: 20 });
  await attempt('correct horse battery staple');
  expect(text(document.body)).toContain('You can try again in 0:20');
  type('unlock-passphrase', 'correct horse battery staple');
  await settle();
  expect((one('unlock-submit') as HTMLButtonElement).disabled).toBe(true);
  await vi.advanceTimersByTimeAsync(21_000);
  press('unlock-submit');
  await settle();
  expect(none('accounts')).toBe(false);
});

it('says why the keyring did not open the vault, and asks it again', async () => {
  const backend = await openWindow({ vault: 'locked', unlock: 'keyring', problem: 'keyring_locked' });
  expect(none('unlock-passphrase')).toBe(true);
  const said = text(one('vault-problem'));
  expect(said).toContain('The keyring is locked');
  expect(said).not.toContain('passphrase');
  press('unlock-keyring');
  await settle();
  expect(backend.asked).toEqual(['unlock with keyring']);
  expect(text(one('unlock-failed'))).toContain('The keyring is locked');
});

it('offers both ways when either opens the vault, and only the passphrase when that is the only one', async () => {
  await openWindow({ vault: 'locked', unlock: 'either' });
  expect(none('unlock-keyring')).toBe(false);
  expect(none('unlock-passphrase')).toBe(false);
});

it('offers no keyring when only a passphrase opens the vault', async () => {
  await openWindow({ vault: 'locked', unlock: 'passphrase' });
  expect(none('unlock-keyring')).toBe(true);
});

it('asks nothing when the vault cannot be read', async () => {
  await openWindow({ vault: 'locked', problem: 'vault_damaged' });
  expect(none('unlock-passphrase')).toBe(true);
  expect(text(one('vault-problem'))).toContain('HF-VAULT-11');
});

it('takes everything off the window when the vault is locked', async () => {
  await openWindow({ accounts: sampleAccounts(NOW) });
  expect(text(document.body)).toContain('Northwind workforce');
  press('lock');
  await settle();
  expect(none('unlock')).toBe(false);
  expect(document.documentElement.outerHTML).not.toMatch(/Northwind|mara/);
});

it('says why it locked by itself, and nothing when it was asked to', async () => {
  const backend = await openWindow({ accounts: sampleAccounts(NOW) });
  backend.lock('suspend');
  await settle();
  expect(text(one('unlock-why'))).toBe('Holdfast locked it before the computer went to sleep.');
  expect(text(one('unlock'))).toContain('went to sleep. Enter your passphrase');
  await attempt('correct horse battery staple');
  backend.lock('asked');
  await settle();
  expect(none('unlock-why')).toBe(true);
});
