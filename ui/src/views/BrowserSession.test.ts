import { expect, it } from 'vitest';
import type { BrowserSignOutStage } from '../lib/backend/backend';
import { sampleAccounts } from '../lib/backend/mock';
import { none, NOW, one, openWindow, press, row, settle, text } from '../test/window';

async function opened(label: string) {
  const backend = await openWindow({ accounts: sampleAccounts(NOW) });
  const id = row(label).dataset.account ?? '';
  row(label).click();
  await settle();
  return { backend, id };
}

it('signs out here and in the browser, and says done only when the provider sent the browser back', async () => {
  const { backend, id } = await opened('Northwind workforce');
  let ends: (stage: BrowserSignOutStage) => void = () => undefined;
  backend.browserEnds = new Promise((resolve) => (ends = resolve));
  press('sign-out-browser');
  await settle();
  expect(backend.asked).toEqual([`sign out in the browser ${id}`]);
  expect(one('sign-out-result').dataset.outcome).toBe('revoked');
  expect(one('browser-session').dataset.outcome).toBe('waiting');
  ends('returned');
  await settle();
  expect(text(one('browser-session'))).toContain('sent your browser back');
});

it('does not call a page that was only opened the end of a session', async () => {
  const { backend } = await opened('Northwind workforce');
  backend.browserEnds = Promise.resolve('left');
  press('sign-out-browser');
  await settle();
  const said = text(one('browser-session'));
  expect(said).toContain('Whether its session ended is seen there only.');
  expect(said).not.toMatch(/done|ended here/);
});

it('offers to end what stays in the browser after a plain sign-out', async () => {
  const { backend, id } = await opened('Northwind workforce');
  press('sign-out');
  await settle();
  expect(text(one('browser-session'))).toMatch(/^Your browser may still be signed in at /);
  press('end-in-browser');
  await settle();
  expect(backend.asked).toEqual([`sign out ${id}`, `sign out in the browser ${id}`]);
  expect(one('browser-session').dataset.outcome).toBe('returned');
});

it('says of a provider without such a page that only the person can end it there', async () => {
  await opened('CRM Online');
  press('sign-out-browser');
  await settle();
  expect(one('browser-session').dataset.outcome).toBe('failed');
  expect(text(one('browser-session'))).toContain('no page that ends the session');
  expect(none('end-in-browser')).toBe(true);
});
