import { expect, it, vi } from 'vitest';
import { manyAccounts, sampleAccounts } from '../lib/backend/mock';
import { none, NOW, one, openWindow, press, row, settle, text } from '../test/window';

const sample = () => ({ accounts: sampleAccounts(NOW), now: () => Date.now() });
const cell = (label: string, id: string) => text(one(id, row(label)));
const rows = () => [...document.querySelectorAll<HTMLElement>('[data-testid="account-row"]')];
const key = (name: string, target: EventTarget = document.activeElement ?? document.body) =>
  target.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true }));

it('shows both clocks of an account, and they count down', async () => {
  await openWindow(sample());
  expect(cell('Northwind workforce', 'countdown-next')).toBe('3:12');
  expect(cell('Northwind workforce', 'countdown-absolute')).toBe('3 h 00 m');
  expect(one('countdown-window', row('Northwind workforce')).querySelector('[role=img]')?.getAttribute('aria-label')).toBe(
    'Renewal window: 46 minutes left of 1 hour. Hard limit in 3 hours, Today 16:58.',
  );
  expect(cell('Citizen tax portal', 'countdown-absolute')).toBe('18:00');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(cell('Northwind workforce', 'countdown-next')).toBe('3:02');
  expect(cell('Citizen tax portal', 'countdown-absolute')).toBe('17:50');
});

it('touches nothing that did not change on a beat', async () => {
  await openWindow(sample());
  await vi.advanceTimersByTimeAsync(1000);
  const changes: string[] = [];
  const observer = new MutationObserver((records) => {
    for (const { target } of records) changes.push((target.parentElement ?? (target as HTMLElement)).closest<HTMLElement>('[data-label]')?.dataset.label ?? 'other');
  });
  observer.observe(one('accounts'), { subtree: true, childList: true, characterData: true, attributes: true });
  await vi.advanceTimersByTimeAsync(1000);
  observer.disconnect();
  expect(changes).toContain('Northwind workforce');
  // Revoked, signed out, or with nothing that ends within the hour.
  for (const still of ['Guest', 'Old tablet session']) expect(changes).not.toContain(still);
});

it('says why an account needs the person, and signs in again under the same name', async () => {
  const backend = await openWindow(sample());
  const needs = row('Staging realm');
  expect(needs.dataset.state).toBe('needs_sign_in');
  expect(text(one('reason', needs))).toBe('The provider ended this session');
  one('row-sign-in', needs).click();
  await settle();
  expect(backend.asked).toEqual(['sign in keycloak as Staging realm']);
  expect(none('sign-in-waiting')).toBe(false);
});

it('shows each state as a word, not as a colour only', async () => {
  await openWindow(sample());
  const words = Object.fromEntries(rows().map((one) => [one.dataset.label, text(one.querySelector('.pill') ?? one)]));
  expect(words).toMatchObject({
    'Staging realm': 'Needs sign-in', 'Citizen tax portal': 'Expiring soon', 'Northwind GitLab': 'Offline',
    Contoso: 'Refreshing', Jira: 'Active', 'Old tablet session': 'Revoked', Guest: 'Signed out',
  });
});

it('makes only the rows in sight, and says how many there are', async () => {
  await openWindow({ accounts: manyAccounts(NOW, 3000) });
  expect(rows().length).toBeLessThan(30);
  expect(document.querySelector('[role=grid]')?.getAttribute('aria-rowcount')).toBe('3000');
  const grid = document.querySelector<HTMLElement>('[role=grid]');
  if (!grid) throw new Error('no grid');
  const before = rows()[0]?.dataset.account;
  grid.scrollTop = 60_000;
  grid.dispatchEvent(new Event('scroll'));
  await settle();
  expect(rows().length).toBeLessThan(30);
  expect(rows()[0]?.dataset.account).not.toBe(before);
  const indices = rows().map((one) => Number(one.getAttribute('aria-rowindex')));
  expect(indices).toEqual([...indices].sort((a, b) => a - b));
});

it('is one tab stop, and moves with J, K and the arrows', async () => {
  const backend = await openWindow(sample());
  const stops = () => rows().filter((one) => one.tabIndex === 0).map((one) => one.dataset.label);
  expect(stops()).toEqual(['Partner portal']);
  key('j', document.body);
  await settle();
  expect((document.activeElement as HTMLElement).dataset.label).toBe('Partner portal');
  key('ArrowDown');
  await settle();
  key('j');
  await settle();
  expect(stops()).toEqual(['Citizen tax portal']);
  key('k');
  await settle();
  expect((document.activeElement as HTMLElement).dataset.label).toBe('Staging realm');
  key('ArrowDown');
  await settle();
  key('r');
  await settle();
  const citizen = row('Citizen tax portal').dataset.account;
  expect(backend.asked).toEqual([`refresh ${citizen}`]);
  key('Enter');
  await settle();
  expect(one('account-page').dataset.account).toBe(citizen);
  key('Escape', document.body);
  await settle();
  expect(none('accounts')).toBe(false);
  expect(stops()).toEqual(['Citizen tax portal']);
});

it('narrows the list by chip and by search, and widens it again', async () => {
  await openWindow(sample());
  press('chip-needs');
  await settle();
  expect(rows().map((one) => one.dataset.label)).toEqual(['Partner portal', 'Staging realm']);
  const search = one('find') as HTMLInputElement;
  search.value = 'nobody';
  search.dispatchEvent(new Event('input', { bubbles: true }));
  await settle();
  expect(rows()).toEqual([]);
  expect(text(one('accounts'))).toContain('Nothing here is called “nobody”');
});

it('moves an account when the agent says that it changed', async () => {
  const backend = await openWindow(sample());
  const id = row('Jira').dataset.account ?? '';
  backend.change(id, { state: 'needs_sign_in', reason: { code: 'absolute_end', text: 'It reached its end.', at: null } });
  await settle();
  expect(row('Jira').dataset.state).toBe('needs_sign_in');
  expect(text(one('chip-needs'))).toBe('Needs you3');
});

it('invites to add the first account when there is none', async () => {
  await openWindow({ accounts: [] });
  expect(text(one('accounts'))).toContain('Nothing to hold yet');
  press('add-account');
  await settle();
  expect(none('add-view')).toBe(false);
});
