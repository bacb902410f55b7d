import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Backend, Connection, Event } from './backend/backend';
import { MockBackend, sampleAccounts, sketch } from './backend/mock';
import { Clock } from './clock.svelte';
import { H, M, S } from './time';
import { Vault } from './vault.svelte';

const NOW = Date.UTC(2026, 4, 14, 13, 58, 20);
let end: () => void = () => undefined;
beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});
afterEach(() => end());

function following(backend: Backend): { vault: Vault; clock: Clock } {
  const clock = new Clock();
  const vault = new Vault(clock);
  end = vault.follow(backend);
  return { vault, clock };
}
const labels = (vault: Vault) => vault.accounts.map(({ label }) => label);

it('begins with the snapshot and applies each change after it', () => {
  const backend = new MockBackend({ accounts: sampleAccounts(NOW).slice(0, 3) });
  const { vault } = following(backend);
  expect(vault.connection.state).toBe('connected');
  expect(labels(vault)).toEqual(['Citizen tax portal', 'Partner portal', 'Staging realm']);

  const added = sketch(NOW, { label: 'Jira', provider: 'atlassian', issued: -H, renewed: -M, sliding: H, absolute: H });
  backend.put(added);
  vi.advanceTimersByTime(50);
  expect(labels(vault)).toEqual(['Citizen tax portal', 'Jira', 'Partner portal', 'Staging realm']);

  backend.change(added.id, { state: 'stale', label: 'Board' });
  vi.advanceTimersByTime(50);
  expect(vault.account(added.id)?.state).toBe('stale');
  expect(labels(vault)[0]).toBe('Board');

  void backend.removeAccount(added.id);
  vi.advanceTimersByTime(50);
  expect(vault.account(added.id)).toBeUndefined();
});

it('keeps providers and sign-ins in step', async () => {
  const backend = new MockBackend();
  const { vault } = following(backend);
  const before = vault.providers.length;
  await backend.addProvider({ name: 'new', display_name: 'Brand new', issuer: 'https://a.example', client_id: 'c', scopes: [] });
  expect(vault.providers).toHaveLength(before + 1);
  expect(vault.provider('new')?.display_name).toBe('Brand new');
  const { sign_in } = await backend.startSignIn({ provider: 'new', label: null, scopes: [] });
  expect(vault.signIns.get(sign_in.id)?.stage).toBe('waiting');
  backend.finishSignIn(sign_in.id);
  expect(vault.signIns.get(sign_in.id)?.stage).toBe('done');
});

it('counts by the agent’s clock', () => {
  const { clock } = following(new MockBackend({ now: () => NOW + 4 * M }));
  expect(clock.now()).toBe(NOW + 4 * M);
  vi.advanceTimersByTime(2 * S);
  expect(clock.now()).toBe(NOW + 4 * M + 2 * S);
});

it('forgets every account the moment the vault is locked, and has them again when it opens', async () => {
  const backend = new MockBackend({ accounts: sampleAccounts(NOW) });
  const { vault } = following(backend);
  const id = vault.accounts[0]?.id ?? '';
  await backend.lockVault();
  expect(vault.accounts).toEqual([]);
  expect(vault.account(id)).toBeUndefined();
  expect(vault.signIns.size).toBe(0);
  await backend.unlockVault({ passphrase: 'correct horse battery staple' });
  expect(vault.accounts).toHaveLength(15);
});

it('shows a burst of changes together instead of one by one', () => {
  const backend = new MockBackend({ accounts: sampleAccounts(NOW) });
  const { vault } = following(backend);
  vi.advanceTimersByTime(100);
  const seen = new Set([vault.accounts]);
  for (const { id } of [...vault.accounts]) {
    backend.change(id, { state: 'refreshing' });
    seen.add(vault.accounts);
  }
  expect(seen.size).toBe(2);
  vi.advanceTimersByTime(50);
  expect(vault.accounts.every(({ state }) => state === 'refreshing')).toBe(true);
});

it('shows a renewal for at least 400 ms, and then what became of it', () => {
  const backend = new MockBackend({ accounts: sampleAccounts(NOW) });
  const { vault } = following(backend);
  const id = vault.accounts.find(({ label }) => label === 'Jira')?.id ?? '';
  const state = () => vault.account(id)?.state;
  vi.advanceTimersByTime(100);
  backend.change(id, { state: 'refreshing' });
  vi.advanceTimersByTime(100);
  expect(state()).toBe('refreshing');
  backend.change(id, { state: 'due' });
  backend.change(id, { state: 'fresh' });
  vi.advanceTimersByTime(290);
  expect(state()).toBe('refreshing');
  vi.advanceTimersByTime(60);
  expect(state()).toBe('fresh');
  backend.change(id, { state: 'stale' });
  vi.advanceTimersByTime(50);
  expect(state()).toBe('stale');
});

it('brings no account back that was removed or locked away while its renewal was shown', async () => {
  const backend = new MockBackend({ accounts: sampleAccounts(NOW) });
  const { vault } = following(backend);
  const [first, second] = vault.accounts.filter(({ state }) => state === 'fresh').map(({ id }) => id);
  for (const id of [first ?? '', second ?? '']) {
    backend.change(id, { state: 'refreshing' });
    backend.change(id, { state: 'fresh' });
  }
  void backend.removeAccount(first ?? '');
  vi.advanceTimersByTime(1000);
  expect(vault.account(first ?? '')).toBeUndefined();
  backend.change(second ?? '', { state: 'refreshing' });
  backend.change(second ?? '', { state: 'fresh' });
  await backend.lockVault();
  vi.advanceTimersByTime(1000);
  expect(vault.accounts).toEqual([]);
});

/** A line that a test speaks into. */
function line() {
  const said: { onEvent: (e: Event) => void; onConnection: (c: Connection) => void; open: boolean }[] = [];
  const backend = new MockBackend();
  backend.subscribe = (onEvent, onConnection) => {
    const one = { onEvent, onConnection, open: true };
    said.push(one);
    return () => (one.open = false);
  };
  const snapshot = (seq: number): Event => ({
    type: 'snapshot', seq, snapshot: { status: backend.status(), accounts: [], providers: [], sign_ins: [] },
  });
  return { backend, said, snapshot };
}

it('asks for a new snapshot when a change is missing, and takes nothing from the old line any more', () => {
  const { backend, said, snapshot } = line();
  const { vault } = following(backend);
  said[0]?.onEvent(snapshot(1));
  said[0]?.onEvent({ type: 'account_removed', seq: 3, id: 'x' });
  expect(said).toHaveLength(2);
  expect(said[0]?.open).toBe(false);
  // Changes before the snapshot of the new line mean nothing.
  said[1]?.onEvent({ type: 'status_changed', seq: 9, status: { ...backend.status(), pid: 1 } });
  expect(vault.status?.pid).not.toBe(1);
  said[1]?.onEvent(snapshot(9));
  said[1]?.onEvent({ type: 'status_changed', seq: 10, status: { ...backend.status(), pid: 1 } });
  expect(vault.status?.pid).toBe(1);
});

it('keeps what it knows while the line is lost, and begins anew when it is back', () => {
  const { backend, said, snapshot } = line();
  const { vault } = following(backend);
  said[0]?.onEvent(snapshot(1));
  said[0]?.onConnection({ state: 'lost', message: 'gone' });
  expect(vault.connection).toEqual({ state: 'lost', message: 'gone' });
  expect(vault.status).not.toBeNull();
  said[0]?.onConnection({ state: 'connected' });
  said[0]?.onEvent(snapshot(1));
  expect(vault.connection.state).toBe('connected');
  expect(said).toHaveLength(1);
});

it('asks again after this computer slept', () => {
  const { backend, said, snapshot } = line();
  const { clock } = following(backend);
  said[0]?.onEvent(snapshot(1));
  const stop = clock.start();
  vi.setSystemTime(NOW + 8 * H);
  vi.advanceTimersByTime(S);
  stop();
  expect(said).toHaveLength(2);
});
