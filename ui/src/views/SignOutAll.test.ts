import { expect, it } from 'vitest';
import { sampleAccounts } from '../lib/backend/mock';
import { none, NOW, one, openWindow, press, settle, text } from '../test/window';

async function opened() {
  const backend = await openWindow({ accounts: sampleAccounts(NOW) });
  press('sign-out-all');
  await settle();
  return backend;
}
const confirm = async () => {
  press('sign-out-all-confirm');
  await settle();
  press('sign-out-all-confirm');
  await settle();
};

it('names how many accounts end, and does nothing at the first press', async () => {
  const backend = await opened();
  expect(text(one('sign-out-all-view'))).toContain('Sign out of 13 accounts on this computer?');
  press('sign-out-all-confirm');
  await settle();
  expect(backend.asked).toEqual([]);
});

it('says for each account what was reached, and sums it up', async () => {
  await opened();
  await confirm();
  const summary = text(one('sign-out-summary'));
  expect(summary).toContain('10 of 13 are ended at the provider too. 2 could only be ended here. 1 is still to be confirmed.');
  const results = [...document.querySelectorAll<HTMLElement>('[data-testid="sign-out-result"]')];
  expect(results).toHaveLength(13);
  const outcome = Object.fromEntries(results.map(({ dataset }) => [dataset.label, dataset.outcome]));
  expect(outcome).toMatchObject({
    'Photo stream': 'ended_here_only', 'CRM Online': 'ended_here_only', 'Northwind GitLab': 'queued',
    'Northwind workforce': 'revoked', 'Staging realm': 'revoked',
  });
  expect(results.find(({ dataset }) => dataset.label === 'Photo stream')?.textContent).toMatch(/until today 14:10/);
  press('sign-out-finish');
  await settle();
  expect(text(one('chip-held'))).toBe('Held0');
});

it('counts on while it runs', async () => {
  const backend = await opened();
  let go: (() => void) | undefined;
  backend.signOutAll = () => new Promise((resolve) => (go = () => resolve([])));
  await confirm();
  const progress = () => text(one('sign-out-progress'));
  expect(progress()).toContain('Signing out, 0 of 13');
  const [first] = [...backend.accounts.values()];
  backend.change(first?.id ?? '', { state: 'signed_out' });
  await settle();
  expect(progress()).toContain('Signing out, 1 of 13');
  go?.();
  await settle();
  expect(none('sign-out-progress')).toBe(true);
});

it('says what failed when the agent does not do it', async () => {
  const backend = await opened();
  backend.signOutAll = () => Promise.reject({ code: 'disk_full', message: 'The disk is full.', hint: null, retry_after_s: null });
  await confirm();
  expect(text(one('sign-out-all-failed'))).toContain('The disk is full');
  expect(none('sign-out-summary')).toBe(true);
});

it('says so when nothing is held', async () => {
  await openWindow({ accounts: sampleAccounts(NOW).filter(({ state }) => state === 'signed_out') });
  press('sign-out-all');
  await settle();
  expect(text(one('sign-out-all-view'))).toContain('You are signed out everywhere');
  expect(none('sign-out-all-confirm')).toBe(true);
});
