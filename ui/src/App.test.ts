import { expect, it, vi } from 'vitest';
import { sampleAccounts } from './lib/backend/mock';
import { none, NOW, one, openWindow, press, settle, text } from './test/window';

it('waits a moment before it says that it starts, and then says it', async () => {
  await openWindow({ connection: 'connecting' });
  expect(none('starting')).toBe(true);
  await vi.advanceTimersByTimeAsync(200);
  expect(text(one('starting'))).toContain('Waiting for the process that keeps your vault.');
});

it('says when the vault process cannot be reached at all', async () => {
  const backend = await openWindow({ connection: 'lost' });
  expect(text(one('lost'))).toContain('The vault process does not answer');
  backend.setConnection({ state: 'lost', message: 'The program holdfast-agent is not there.' });
  await settle();
  expect(text(one('lost'))).toContain('The program holdfast-agent is not there.');
});

it('keeps the list when the vault process is lost, and says so above it', async () => {
  const backend = await openWindow({ accounts: sampleAccounts(NOW) });
  expect(none('disconnected')).toBe(true);
  backend.setConnection({ state: 'lost', message: 'The agent has ended the connection.' });
  await settle();
  expect(text(one('disconnected'))).toContain('The agent has ended the connection.');
  expect(none('accounts')).toBe(false);
  backend.setConnection({ state: 'connected' });
  await settle();
  expect(none('disconnected')).toBe(true);
});

it('changes the theme, and remembers it', async () => {
  localStorage.clear();
  await openWindow({ accounts: sampleAccounts(NOW) });
  const seen = [];
  for (let i = 0; i < 3; i += 1) {
    press('theme');
    await settle();
    seen.push([one('theme').dataset.choice, document.documentElement.dataset.theme, localStorage.getItem('holdfast.theme')]);
  }
  expect(seen).toEqual([['dark', 'dark', 'dark'], ['light', 'light', 'light'], ['system', 'dark', 'system']]);
});

it('locks with Ctrl L and adds with Ctrl N', async () => {
  const backend = await openWindow({ accounts: sampleAccounts(NOW) });
  const ctrl = (key: string) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, ctrlKey: true, bubbles: true, cancelable: true }));
  ctrl('n');
  await settle();
  expect(none('add-view')).toBe(false);
  ctrl('l');
  await settle();
  expect(backend.asked).toEqual(['lock']);
  expect(none('unlock')).toBe(false);
});

it('opens at the account that a notice named, once the vault is open, and keeps no trace of it in the address', async () => {
  const accounts = sampleAccounts(NOW);
  const id = accounts[0]!.id;
  history.replaceState(null, '', `#/accounts/${id}`);
  const backend = await openWindow({ vault: 'locked', accounts });
  expect(location.hash).toBe('');
  expect(none('account-page')).toBe(true);
  await backend.unlockVault({ passphrase: 'correct horse battery staple' });
  await settle();
  expect(one('account-page').dataset.account).toBe(id);

  // It leads there once: after the next lock the window begins at the list.
  await backend.lockVault();
  await settle();
  await backend.unlockVault({ passphrase: 'correct horse battery staple' });
  await settle();
  expect(none('account-page')).toBe(true);
  expect(none('accounts')).toBe(false);
});

it('goes where the tray sends an open window, as often as it does', async () => {
  await openWindow({ accounts: sampleAccounts(NOW) });
  for (let i = 0; i < 2; i += 1) {
    history.replaceState(null, '', '#/signout');
    dispatchEvent(new HashChangeEvent('hashchange'));
    await settle();
    expect(none('sign-out-all-view')).toBe(false);
    expect(location.hash).toBe('');
    press('nav-accounts');
    await settle();
    expect(none('sign-out-all-view')).toBe(true);
  }
});
