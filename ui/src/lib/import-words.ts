/* The sentences of importing. The rules of words.ts hold. */
import type { EnterOutcome, ImportOutcome } from './backend/backend';
import { count } from './words';

export const importing = {
  title: 'Import',
  lead: 'From oidc-agent, from a list of tokens, or from a provider file. Holdfast’s vault process opens the file; this window never sees what is in it.',
  path: 'File',
  pathHint: 'Such as ~/.config/oidc-agent/work. Files can also be dropped anywhere on this window.',
  notAbsolute: 'Begin it with / or ~/.',
  choose: 'Choose files',
  submit: 'Import',
  drop: 'Drop to import',
  dropText: 'Account files of oidc-agent, lists of tokens, provider files',
  notNow: 'Nothing was imported',
  notNowText: 'Finish what is on this page first, then drop the files again.',
  missed: 'The vault was locked while the files were chosen. Choose them again.',
  results: 'Imported files',
  waiting: 'Waits',
  running: 'Importing',
  needsPassword: 'Needs its password',
  done: 'Imported',
  failed: 'Not imported',
  ended: (done: number, failed: number, sealed: number) =>
    [[done, 'imported', 'imported'] as const, [failed, 'not imported', 'not imported'] as const, [sealed, 'needs its password', 'need their password'] as const]
      .filter(([n]) => n)
      .map(([n, one, many], i) => `${i ? n.toLocaleString() : count(n, 'file', 'files')} ${n === 1 ? one : many}`)
      .join(', '),
  endedText: 'Vault, then “Import files”, shows what became of each.',
  passwordTitle: (n: number) => `${count(n, 'file needs', 'files need')} the password that oidc-agent gave ${n === 1 ? 'it' : 'them'}`,
  password: 'Password of the file',
  passwordText: 'It is tried for each of them, goes to the vault process only, and is not kept.',
  wrong: (n: number) => (n === 1 ? 'That password does not open the file.' : `That password does not open ${n.toLocaleString()} of them.`),
  open: 'Open',
  leaveOut: 'Leave out',
  dismiss: 'Dismiss',
  again: 'Try again',
  label: 'Name',
  service: 'For',
  became: 'What became of it',
  what: 'What can be imported',
  kinds: [
    ['Accounts of oidc-agent 4 and 5', 'Each refresh token is used once. The file stays as it is; have oidc-agent forget the account afterwards.'],
    ['Tokens that you made by hand', 'A CSV or JSON list with label, service and token. All of it, or nothing of it. Delete the list afterwards.'],
    ['Providers', 'A TOML file from your administrator. It holds no secrets.'],
  ] as const,
};

export const entered: Record<EnterOutcome, string> = {
  added: 'New. Holdfast keeps it.',
  replaced: 'Has a new token. The old one works until you end it at the service.',
  unchanged: 'Was here already. Nothing changed.',
};

export const takenOver: Record<ImportOutcome, string> = {
  imported: 'New. Signed in, and renewed from here on.',
  replaced: 'Was signed in already. It has new tokens now.',
  already_there: 'Was imported before. Nothing was sent.',
};

export const providerAdded = 'New in the list of providers.';

/** What a list brought, and what to do with its file. */
export const listDone = (fresh: number, all: number): string =>
  `${fresh.toLocaleString()} of ${count(all, 'token is', 'tokens are')} new. Delete the list now: it holds them in the clear.`;
export const providersDone = (n: number): string => `${count(n, 'provider is', 'providers are')} new.`;
export const accountDone = (label: string): string => `${label} is in the vault.`;
