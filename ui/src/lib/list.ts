/* What the list shows, in which order and at which height: pure, so that only rows in sight have to exist. */
import { type Account, type Group, GROUPS, groupOf, ranked, shown } from './account';
import { groups as groupWords } from './words';

export type Grouping = 'urgency' | 'provider' | 'none';
export type View = 'all' | Group;

export type Item =
  | { kind: 'group'; key: string; group: Group | null; title: string; provider: string | null; size: number; needs: number }
  | { kind: 'row'; key: string; account: Account; index: number };

export const ROW_HEIGHT = 48;
export const GROUP_HEIGHT = 34;
/** Rows beyond the visible part that exist as well, so that scrolling does not show holes. */
const OVERSCAN = 4;

export function counts(accounts: readonly Account[], now: number): Record<View, number> {
  const n: Record<View, number> = { all: accounts.length, needs: 0, soon: 0, held: 0, not: 0 };
  for (const account of accounts) n[groupOf(shown(account, now))] += 1;
  return n;
}

const matches = (account: Account, query: string) =>
  `${account.label}\n${account.person}\n${account.providerName}\n${account.issuerHost}`.toLocaleLowerCase().includes(query);

export function arrange(
  accounts: readonly Account[], now: number, options: { view: View; grouping: Grouping; query: string },
): Item[] {
  const query = options.query.trim().toLocaleLowerCase();
  const visible = ranked(query ? accounts.filter((account) => matches(account, query)) : accounts, now)
    .map(({ account, pill }) => ({ account, group: groupOf(pill) }))
    .filter(({ group }) => options.view === 'all' || group === options.view);
  const items: Item[] = [];
  let index = 0;
  const put = (head: Omit<Extract<Item, { kind: 'group' }>, 'kind' | 'size' | 'needs'> | null, members: Account[]) => {
    if (!members.length) return;
    if (head) {
      const needs = head.provider === null ? 0 : members.filter(({ state }) => state === 'needs_sign_in').length;
      items.push({ kind: 'group', ...head, size: members.length, needs });
    }
    for (const account of members) items.push({ kind: 'row', key: account.id, account, index: (index += 1) });
  };
  if (options.grouping === 'urgency') {
    const members = new Map<Group, Account[]>(GROUPS.map((group) => [group, []]));
    for (const { account, group } of visible) members.get(group)?.push(account);
    for (const [group, list] of members) {
      put({ key: `group-${group}`, group, title: groupWords[group], provider: null }, list);
    }
  } else if (options.grouping === 'provider') {
    const members = new Map<string, Account[]>();
    for (const { account } of visible) {
      const list = members.get(account.providerName);
      if (list) list.push(account);
      else members.set(account.providerName, [account]);
    }
    for (const name of [...members.keys()].sort((a, b) => a.localeCompare(b))) {
      const list = members.get(name) ?? [];
      put({ key: `provider-${name}`, group: null, title: name, provider: list[0]?.provider ?? name }, list);
    }
  } else {
    put(null, visible.map(({ account }) => account));
  }
  return items;
}

/** Where each item begins, in pixels, and the height of all. */
export function offsets(items: readonly Item[]): { tops: number[]; total: number } {
  const tops: number[] = [];
  let total = 0;
  for (const item of items) {
    tops.push(total);
    total += item.kind === 'group' ? GROUP_HEIGHT : ROW_HEIGHT;
  }
  return { tops, total };
}

/** The first and last item that exist when `height` pixels from `scrolled` on are in sight; last < first for none. */
export function range(tops: readonly number[], scrolled: number, height: number): [first: number, last: number] {
  const at = (y: number) => {
    let a = 0;
    let b = tops.length - 1;
    while (a < b) {
      const middle = (a + b + 1) >> 1;
      if ((tops[middle] ?? 0) <= y) a = middle;
      else b = middle - 1;
    }
    return a;
  };
  return [Math.max(0, at(scrolled) - OVERSCAN), Math.min(tops.length - 1, at(scrolled + height) + OVERSCAN)];
}
