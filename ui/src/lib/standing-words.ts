/* The sentences for a vault that is not the newest, or not whole. The rules of words.ts hold. */
import type { Standing } from './backend/backend';
import { count } from './words';

/** The strips above everything, while the vault that is open is not the one Holdfast knows. */
export const standing = {
  title: (of: Exclude<Standing, 'current'>, behind: number | null) => {
    if (of === 'restored') return 'This vault was restored from a backup.';
    if (of === 'unrecorded') return 'This vault cannot show that it is the newest state of itself.';
    return behind === null
      ? 'This is an older copy of your vault.'
      : `This is an older copy of your vault: ${count(behind, 'change is', 'changes are')} missing.`;
  },
  what: {
    older: 'Refresh tokens that were renewed since are spent in it. Using a spent one can end its session.',
    restored: 'Refresh tokens that were renewed since the backup are spent in it. Using a spent one can end its session.',
    unrecorded: 'An earlier version of Holdfast wrote it, or another program changed what it records of itself. Its refresh tokens may be spent, and using a spent one can end its session.',
  } satisfies Record<Exclude<Standing, 'current'>, string>,
  did: 'Holdfast shows it, and uses, renews and hands out nothing of it until you decide.',
  ifUsed: 'Once you use it, accounts whose tokens are spent ask you to sign in again.',
  hold: 'Hold to use this copy',
  again: 'Press again to use this copy',
  lock: 'Lock',
  status: 'Nothing is used yet',
  paused: ['Paused', 'until you decide'] as const,
  decideFirst: 'Decide about this copy of the vault first',
  accepted: 'This copy is your vault now',
  acceptedText: 'Accounts whose tokens are spent will ask you to sign in again.',
  log: 'The vault’s log takes no lines.',
  damaged: (n: number) => `${count(n, 'record is not as Holdfast wrote it', 'records are not as Holdfast wrote them')}.`,
  damagedText: 'Nothing of them is used, and nothing was deleted. The others work.',
  look: 'Look',
};
