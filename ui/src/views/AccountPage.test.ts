import { expect, it, vi } from 'vitest';
import { sampleAccounts } from '../lib/backend/mock';
import { none, NOW, one, openWindow, press, row, settle, text } from '../test/window';

async function opened(label: string) {
  const backend = await openWindow({ accounts: sampleAccounts(NOW), now: () => Date.now() });
  const id = row(label).dataset.account ?? '';
  row(label).click();
  await settle();
  return { backend, id };
}
const twice = async (id: string) => {
  press(id);
  await settle();
  press(id);
  await settle();
};

it('shows the three numbers, and they count down', async () => {
  await opened('Northwind workforce');
  const numbers = () => ['countdown-next', 'countdown-window', 'countdown-absolute'].map((id) => text(one(id)));
  expect(numbers()).toEqual(['3:12', '46:00', '3 h 00 m']);
  await vi.advanceTimersByTimeAsync(5000);
  expect(numbers()).toEqual(['3:07', '45:55', '2 h 59 m']);
});

it('draws both storeys, and marks the next renewal and the end of the access token', async () => {
  await opened('Northwind workforce');
  const drawing = text(document.querySelector('.inst') ?? document.body);
  for (const part of ['Whole life, 8 h', 'Hard limit 16:58', 'now 13:58', 'refresh 14:01', 'access token ends 14:03', 'renewed 13:44', 'Closes 14:44']) {
    expect(drawing).toContain(part);
  }
});

it('does not invent limits that nobody published', async () => {
  await opened('CRM Online');
  expect(text(one('countdown-window'))).toBe('12:00');
  expect(text(one('countdown-absolute'))).toBe('Unknown');
  expect(text(document.querySelector('.inst') ?? document.body)).toContain('hard limit not published');
});

it('says in three parts why the account needs the person', async () => {
  const { backend } = await opened('Staging realm');
  const said = text(one('needs-sign-in'));
  for (const part of ['The provider ended this session', 'What happened', 'Today 13:14', 'What Holdfast did', 'What you can do', 'HF-REF-01']) {
    expect(said).toContain(part);
  }
  press('sign-in-again');
  await settle();
  expect(backend.asked).toEqual(['sign in keycloak as Staging realm']);
});

it('has an account that nobody signs in to tried again, and offers no sign-in', async () => {
  const [first] = sampleAccounts(NOW).filter(({ label }) => label === 'Staging realm');
  if (!first?.reason) throw new Error('no account');
  const robot = { ...first, source: 'client_credentials', reason: { ...first.reason, code: 'source_refused' } };
  const backend = await openWindow({ accounts: [robot], now: () => Date.now() });
  row('Staging realm').click();
  await settle();
  expect(text(one('needs-sign-in'))).toContain('does not accept what its tokens are made from');
  expect(text(one('sign-in-again'))).toBe('Try again');
  press('sign-in-again');
  await settle();
  expect(backend.asked).toEqual([`refresh ${robot.id}`]);
});

it('says what goes wrong with renewals while the token is still good', async () => {
  await opened('Northwind GitLab');
  expect(text(one('trouble'))).toContain('git.northwind.example does not answer');
  expect(text(one('countdown-next'))).toBe('0:24');
});

it('refreshes now, and says so', async () => {
  const { backend, id } = await opened('Northwind workforce');
  press('refresh');
  await settle();
  expect(backend.asked).toEqual([`refresh ${id}`]);
  expect(text(one('countdown-next'))).toBe('Now');
  await vi.advanceTimersByTimeAsync(400);
  expect(text(one('toast'))).toContain('Northwind workforce refreshed');
  expect(text(one('countdown-window'))).toMatch(/^(1 h 00 m|59:5\d)$/);
});

it('says why a refresh did not work, and keeps that on the screen', async () => {
  const { backend } = await opened('Northwind workforce');
  backend.refreshAccount = () => Promise.reject({ code: 'provider_unreachable', message: 'login.okta.example does not answer.', hint: null, retry_after_s: 5 });
  press('refresh');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(text(one('toast'))).toContain('login.okta.example does not answer.');
});

it('signs out at once, and shows what that reached', async () => {
  const { backend, id } = await opened('Photo stream');
  press('sign-out');
  await settle();
  expect(backend.asked).toEqual([`sign out ${id}`]);
  const result = one('sign-out-result');
  expect(result.dataset.outcome).toBe('ended_here_only');
  expect(text(result)).toContain('until today 14:10');
  expect(one('account-page').dataset.state).toBe('signed_out');
  expect(none('sign-out')).toBe(true);
});

it('revokes after two presses, never after one', async () => {
  const { backend, id } = await opened('Northwind workforce');
  press('revoke');
  await settle();
  expect(backend.asked).toEqual([]);
  press('revoke');
  await settle();
  expect(backend.asked).toEqual([`revoke ${id}`]);
  expect(one('sign-out-result').dataset.outcome).toBe('revoked');
});

it('removes the account and goes back to the list', async () => {
  const { backend, id } = await opened('Guest');
  await twice('remove');
  expect(backend.asked).toEqual([`remove ${id}`]);
  expect(none('accounts')).toBe(false);
  expect(document.querySelector(`[data-account="${id}"]`)).toBeNull();
  expect(text(one('toast'))).toContain('Guest removed');
});

it('says so when the account is removed elsewhere meanwhile', async () => {
  const { backend, id } = await opened('Jira');
  await backend.removeAccount(id);
  await settle();
  expect(none('account-gone')).toBe(false);
});

it('goes on to the next account of the list with J', async () => {
  await opened('Partner portal');
  document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true }));
  await settle();
  expect(document.querySelector('h1')?.textContent).toBe('Staging realm');
});
