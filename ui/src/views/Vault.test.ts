import { expect, it, vi } from 'vitest';
import { sampleAccounts } from '../lib/backend/mock';
import { none, NOW, one, openWindow, press, row, settle, text, type } from '../test/window';

const PASSPHRASE = 'correct horse battery staple';
const FRESH = 'copper thistle wagon mellow orbit';
const CODE = ['K4QZ', 'T7MA', '2XWB', 'LR5D', 'N3VE', 'J6PC', 'H2SY', 'F5GU'].join('-');
const off = (id: string) => (one(id) as HTMLButtonElement).disabled;
const shows = () => document.documentElement.outerHTML;
const accounts = () => sampleAccounts(NOW);

async function twice(id: string): Promise<void> {
  press(id);
  await settle();
  press(id);
  await settle();
}

async function openVault(options: Parameters<typeof openWindow>[0] = {}) {
  const backend = await openWindow({ accounts: accounts(), ...options });
  press('nav-vault');
  await settle();
  return backend;
}

it('says that a copy is older and by how much, and uses nothing of it before the person decides', async () => {
  const backend = await openWindow({ accounts: accounts(), standing: 'older', behindBy: 12 });
  expect(text(one('standing'))).toContain('This is an older copy of your vault: 12 changes are missing.');
  expect(text(one('standing'))).toMatch(/spent.*uses, renews and hands out nothing.*ask you to sign in again/);
  expect(off('add-account')).toBe(true);
  const refresh = one('row-refresh', row('Northwind workforce')) as HTMLButtonElement;
  const signIn = one('row-sign-in', row('Staging realm')) as HTMLButtonElement;
  for (const button of [refresh, signIn]) {
    expect([button.disabled, button.title]).toEqual([true, 'Decide about this copy of the vault first']);
  }
  // Keys do not go round the buttons.
  row('Northwind workforce').focus();
  row('Northwind workforce').dispatchEvent(new KeyboardEvent('keydown', { key: 'r', bubbles: true, cancelable: true }));
  await settle();
  expect(backend.asked).toEqual([]);
  expect(text(one('toast'))).toContain('Decide about this copy of the vault first');
  row('Northwind workforce').click();
  await settle();
  for (const id of ['refresh', 'sign-out', 'revoke', 'remove']) expect(off(id), id).toBe(true);

  press('standing-accept');
  await settle();
  expect(backend.asked).toEqual([]);
  press('standing-accept');
  await settle();
  expect(backend.asked).toEqual(['accept']);
  expect(none('standing')).toBe(true);
  expect(off('refresh')).toBe(false);
});

it.each([
  ['restored', 'This vault was restored from a backup.'],
  ['unrecorded', 'This vault cannot show that it is the newest state of itself.'],
  ['older', 'This is an older copy of your vault.'],
] as const)('says what %s means, and locks it instead', async (standing, words) => {
  const backend = await openWindow({ accounts: accounts(), standing });
  expect(text(one('standing'))).toContain(words);
  press('standing-lock');
  await settle();
  expect(backend.asked).toEqual(['lock']);
  expect(none('standing')).toBe(true);
});

it('says it while the open vault’s log takes no lines', async () => {
  await openWindow({ accounts: accounts(), problem: 'disk_full' });
  expect(text(one('trouble-open'))).toContain('The vault’s log takes no lines.');
  expect(text(one('trouble-open'))).toContain('Free some space');
});

it('shows no strip over a vault that is the newest and whole', async () => {
  await openWindow({ accounts: accounts() });
  expect(none('standing') && none('damaged') && none('trouble-open')).toBe(true);
});

it('leads from the number of damaged records to each of them, and settles what can be settled', async () => {
  const backend = await openWindow({
    accounts: accounts(),
    damaged: [
      { table: 'credentials', record: '0198-7f21', what: 'changed', text: '' },
      { table: 'evil\u202E<b>table', record: '17', what: 'missing', text: '' },
    ],
  });
  expect(text(one('damaged'))).toContain('2 records are not as Holdfast wrote them.');
  press('damaged-look');
  await settle();
  expect(backend.asked).toEqual(['check']);
  const rows = [...document.querySelectorAll('[data-testid="damaged-record"]')].map(text);
  expect(rows[0]).toMatch(/^Token0198-7f21It does not open: it was changed, moved or cut\.\s*Hold to delete$/);
  expect(rows[1]).toBe('evil\uFFFD<b>table17It was there and is gone.');
  await twice('check-accept');
  expect(backend.asked).toEqual(['check', 'accept', 'check']);
  expect(document.querySelectorAll('[data-testid="damaged-record"]')).toHaveLength(1);
  expect(none('check-accept')).toBe(true);

  expect(text(one('vault-check'))).toContain('so they are not revoked');
  await twice('damaged-remove');
  expect(backend.asked).toEqual(['check', 'accept', 'check', 'remove 0198-7f21 of credentials', 'check']);
  expect(none('check-whole')).toBe(false);
});

it('deletes nothing that the vault keeps of itself, and nothing before the person decided about the copy', async () => {
  const changed = (table: string) => ({ table, record: '17', what: 'changed' as const, text: '' });
  await openWindow({ accounts: accounts(), damaged: [changed('meta'), changed('audit'), changed('keyslots')] });
  press('damaged-look');
  await settle();
  expect(none('damaged-remove')).toBe(true);
});

it('offers no deletion in a copy that is not decided about', async () => {
  const damaged = [{ table: 'accounts', record: '17', what: 'changed' as const, text: '' }];
  await openWindow({ accounts: accounts(), damaged, standing: 'older' });
  press('damaged-look');
  await settle();
  expect([...document.querySelectorAll('[data-testid="damaged-record"]')]).toHaveLength(1);
  expect(none('damaged-remove')).toBe(true);
});

it('says what helps against damage to ways of opening the vault, and to what it records of itself', async () => {
  const record = (table: string) => ({ table, record: '0198-7f21', what: 'changed' as const, text: '' });
  await openWindow({ accounts: accounts(), damaged: [record('keyslots'), record('meta')] });
  press('damaged-look');
  await settle();
  expect(text(one('check-keyslots'))).toContain('“Change what opens it” makes new ways');
  expect(text(one('check-itself'))).toContain('makes anew what the vault records of itself');
  expect(none('check-accept')).toBe(false);
  const kinds = [...document.querySelectorAll('[data-testid="damaged-record"]')].map(text);
  expect(kinds.map((kind) => kind.split('0198')[0])).toEqual(['Way to open it', 'The vault’s own data']);
});

it('checks when asked to, and says how much was opened', async () => {
  const backend = await openVault();
  expect(backend.asked).toEqual([]);
  press('check-now');
  await settle();
  const n = 4 * accounts().length;
  expect(text(one('check-whole'))).toBe(`All is well.${n} records were opened, and each is as Holdfast wrote it.`);
});

it('backs up to a new file with the passphrase of the vault, and says what is in it', async () => {
  const backend = await openVault();
  expect((one('backup-path') as HTMLInputElement).value).toBe('~/holdfast-2026-05-14.backup');
  expect(off('backup-make')).toBe(true);
  type('backup-path', 'relative.backup');
  type('backup-passphrase', PASSPHRASE);
  await settle();
  expect(off('backup-make')).toBe(true);
  type('backup-path', '/media/stick/there-already.backup');
  await settle();
  press('backup-make');
  await settle();
  expect(text(one('backup-failed'))).toContain('There is a file of that name already.');
  expect((one('backup-passphrase') as HTMLInputElement).value).toBe('');
  type('backup-path', '/media/stick/a.backup');
  type('backup-passphrase', PASSPHRASE);
  await settle();
  press('backup-make');
  await settle();
  expect(text(one('backup-done'))).toContain(`/media/stick/a.backup: ${accounts().length} accounts`);
  expect(backend.asked.at(-1)).toBe('back up to /media/stick/a.backup');
});

it('gives a backup a passphrase of its own, which it has to have where the vault has none', async () => {
  const backend = await openVault({ unlock: 'keyring' });
  expect(none('backup-passphrase') && none('backup-own')).toBe(true);
  type('backup-new', FRESH);
  await settle();
  expect(off('backup-make')).toBe(true);
  type('backup-new-again', FRESH);
  await settle();
  press('backup-make');
  await settle();
  expect(backend.asked).toEqual(['back up to ~/holdfast-2026-05-14.backup with its own passphrase']);
  expect(shows()).not.toContain('thistle');
});

it('shows a recovery code once, and keeps it nowhere after it is on paper', async () => {
  const backend = await openVault();
  type('recovery-passphrase', 'wrong');
  await settle();
  press('recovery-make');
  await settle();
  expect(text(one('recovery-failed'))).toContain('does not open this vault');
  type('recovery-passphrase', PASSPHRASE);
  await settle();
  press('recovery-make');
  await settle();
  expect([...one('recovery-code').children].map(text)).toEqual(CODE.split('-'));
  expect(text(one('vault-has-code'))).toBe('One opens it');
  press('recovery-copy');
  await settle();
  expect(backend.asked.at(-1)).toBe('copy recovery code');
  press('recovery-on-paper');
  await settle();
  expect(shows()).not.toContain('K4QZ');
  expect(text(one('recovery-done'))).toContain('on your paper');
});

it('covers the code behind another window, but prints it', async () => {
  await openVault({ unlock: 'keyring' });
  press('recovery-make');
  await settle();
  window.dispatchEvent(new Event('blur'));
  await settle();
  expect(none('recovery-code')).toBe(true);
  expect(shows()).not.toContain('K4QZ');
  window.dispatchEvent(new Event('focus'));
  await settle();
  expect(text(one('recovery-code'))).toContain('K4QZ');
  let printed = '';
  vi.spyOn(window, 'print').mockImplementation(() => {
    printed = text(document.querySelector('.rc-sheet')!);
  });
  press('recovery-print');
  await settle();
  expect(printed).toContain('F5GU');
  expect(printed).toContain('Made 14 May 2026');
  // The dialog is in front now; the sheet has to last until the person is back, and no longer.
  window.dispatchEvent(new Event('blur'));
  await settle();
  expect(none('recovery-code')).toBe(true);
  expect(document.querySelector('.rc-sheet')).not.toBeNull();
  window.dispatchEvent(new Event('focus'));
  await settle();
  expect(document.querySelector('.rc-sheet')).toBeNull();
});

it('drops the code after five minutes, on leaving and on locking', async () => {
  const backend = await openVault({ unlock: 'keyring', now: () => Date.now() });
  const make = async () => {
    press('recovery-make');
    await settle();
    expect(shows()).toContain('K4QZ');
  };
  await make();
  expect(text(one('recovery-shown'))).toContain('It leaves the screen in 5:00.');
  await vi.advanceTimersByTimeAsync(5 * 60_000);
  expect(shows()).not.toContain('K4QZ');
  expect(text(one('recovery-gone'))).toContain('It opens the vault all the same.');
  await make();
  press('nav-accounts');
  await settle();
  expect(shows()).not.toContain('K4QZ');
  press('nav-vault');
  await settle();
  await make();
  backend.lock('screen_lock');
  await settle();
  expect(none('unlock')).toBe(false);
  expect(shows()).not.toContain('K4QZ');
});

it('changes the key without asking to unlock in between, and says that the old code is void', async () => {
  const backend = await openVault({ recoveryCode: CODE, pace: 400 });
  type('key-proof', PASSPHRASE);
  press('key-renew');
  await settle();
  type('key-new', FRESH);
  type('key-new-again', FRESH);
  await settle();
  press('key-change');
  await vi.advanceTimersByTimeAsync(500);
  expect(none('changing-key')).toBe(false);
  expect(none('unlock')).toBe(true);
  expect(shows()).not.toMatch(/Northwind|thistle/);
  await vi.advanceTimersByTimeAsync(500);
  expect(none('vault-view')).toBe(false);
  expect(text(one('toast'))).toContain('The key was changed');
  expect(text(one('vault-has-code'))).toBe('None made yet');
  await backend.lockVault();
  await settle();
  type('unlock-passphrase', FRESH);
  await settle();
  press('unlock-submit');
  await vi.advanceTimersByTimeAsync(500);
  expect(none('accounts')).toBe(false);
});

it('keeps the form when the proof is wrong', async () => {
  const backend = await openVault();
  type('key-proof', 'not it');
  await settle();
  press('key-change');
  await settle();
  expect(text(one('key-failed'))).toContain('does not open this vault');
  expect(none('vault-view')).toBe(false);
  expect(backend.asked).toEqual(['change key to either']);
});

it('opens with the recovery code, and leads to a new passphrase', async () => {
  const backend = await openWindow({ vault: 'locked', accounts: accounts(), recoveryCode: CODE });
  press('unlock-by-code');
  await settle();
  expect(none('unlock-passphrase')).toBe(true);
  type('unlock-code', 'AAAA-BBBB');
  await settle();
  press('unlock-submit');
  await settle();
  expect(text(one('unlock-wrong'))).toBe('That recovery code does not open this vault.');
  type('unlock-code', CODE);
  await settle();
  press('unlock-submit');
  await settle();
  expect(text(one('recovered'))).toContain('You opened the vault with the recovery code.');
  expect(shows()).not.toContain('K4QZ');
  type('key-proof', CODE);
  type('key-new', FRESH);
  type('key-new-again', FRESH);
  await settle();
  press('key-change');
  await settle();
  expect(none('recovered')).toBe(true);
  expect(backend.asked.slice(-2)).toEqual(['unlock with recovery code', 'change key to either with a new passphrase']);
});

it('offers the recovery code where only the keyring opens the vault too', async () => {
  await openWindow({ vault: 'locked', unlock: 'keyring', problem: 'keyring_key_missing', recoveryCode: CODE });
  expect(none('unlock-passphrase')).toBe(true);
  press('unlock-by-code');
  await settle();
  type('unlock-code', CODE);
  await settle();
  press('unlock-submit');
  await settle();
  expect(none('vault-view')).toBe(false);
});

it('says why it was locked the last time', async () => {
  const backend = await openVault();
  expect(none('vault-last-lock')).toBe(true);
  backend.lock('idle');
  await settle();
  await backend.unlockVault({ passphrase: PASSPHRASE });
  await settle();
  press('nav-vault');
  await settle();
  expect(text(one('vault-last-lock'))).toBe('Nobody used it for a while');
});
