import { expect, it } from 'vitest';
import { account, groupOf, shown } from './account';
import { manyAccounts, sampleAccounts } from './backend/mock';
import { arrange, counts, GROUP_HEIGHT, offsets, range, ROW_HEIGHT } from './list';
import { M } from './time';

const NOW = Date.UTC(2026, 4, 14, 13, 58, 20);
const all = sampleAccounts(NOW).map(account);
const titles = (items: ReturnType<typeof arrange>) =>
  items.map((item) => (item.kind === 'group' ? `[${item.title} ${item.size}]` : item.account.label));

it('puts what needs the person first, then what ends soon, then the rest', () => {
  expect(titles(arrange(all, NOW, { view: 'all', grouping: 'urgency', query: '' }))).toEqual([
    '[Needs you 2]', 'Partner portal', 'Staging realm',
    '[Expiring soon 2]', 'Citizen tax portal', 'Contoso admin',
    '[Held 9]', 'Northwind GitLab', 'Contoso', 'Warehouse', 'Northwind workforce', 'CRM Online', 'Calendar sync',
    'Photo stream', 'Survey call', 'Jira',
    '[Not held 2]', 'Old tablet session', 'Guest',
  ]);
});

it('moves an account to what ends soon when its lead time begins', () => {
  const jira = all.find(({ label }) => label === 'Jira');
  if (!jira) throw new Error('no Jira');
  // 8 h of life: 48 min of lead, and 62 min are left.
  expect(groupOf(shown(jira, NOW + 13 * M))).toBe('held');
  expect(groupOf(shown(jira, NOW + 14 * M))).toBe('soon');
});

it('finds by name, by sign-in name, by provider and by host', () => {
  const find = (query: string) => titles(arrange(all, NOW, { view: 'all', grouping: 'none', query }));
  expect(find(' STAGING ')).toEqual(['Staging realm']);
  expect(find('@mara.l')).toEqual(['Photo stream']);
  expect(find('google')).toEqual(['Calendar sync']);
  expect(find('login.coreone')).toEqual(['Citizen tax portal']);
  expect(find('nothing like it')).toEqual([]);
});

it('groups by provider and says who of them needs the person', () => {
  const items = arrange(all, NOW, { view: 'all', grouping: 'provider', query: '' });
  const keycloak = items.find((item) => item.kind === 'group' && item.title === 'Keycloak');
  expect(keycloak).toMatchObject({ size: 2, needs: 1, provider: 'keycloak' });
});

it('counts each view', () => {
  expect(counts(all, NOW)).toEqual({ all: 15, needs: 2, soon: 2, held: 9, not: 2 });
});

it('gives only the rows in sight, however many there are', () => {
  const many = manyAccounts(NOW, 5000).map(account);
  const items = arrange(many, NOW, { view: 'all', grouping: 'urgency', query: '' });
  const { tops, total } = offsets(items);
  const groups = items.filter((item) => item.kind === 'group').length;
  expect(total).toBe(5000 * ROW_HEIGHT + groups * GROUP_HEIGHT);
  for (const scrolled of [0, 999, 100_000, total - 600]) {
    const [first, last] = range(tops, scrolled, 600);
    expect(tops[first]).toBeLessThanOrEqual(scrolled);
    expect((tops[last] ?? 0) + ROW_HEIGHT).toBeGreaterThanOrEqual(Math.min(total, scrolled + 600));
    expect(last - first).toBeLessThan(26);
  }
  expect(range([], 0, 600)).toEqual([0, -1]);
});
