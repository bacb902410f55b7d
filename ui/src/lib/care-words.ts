/*
 * The sentences of the view Vault, of restoring and of the recovery code. The rules of words.ts hold.
 */
import type { BackupReport, DamageKind, DamagedRecord, LockReason, UnlockMethod } from './backend/backend';
import { clean } from './text';
import { count } from './words';

export const page = {
  title: 'Vault',
  opening: 'Opening it',
  opensWith: 'Opens with',
  recoveryCode: 'Recovery code',
  hasCode: 'One opens it',
  noCode: 'None made yet',
  lastLock: 'Locked last',
  recovered: 'You opened the vault with the recovery code.',
  recoveredText: 'Choose now what shall open it from here on. The code opens nothing any more after that.',
};

export const imports = {
  title: 'Import',
  text: 'Takes over accounts of oidc-agent, tokens that you made by hand, and providers, from files.',
  go: 'Import files',
};

export const methods: Record<UnlockMethod, string> = {
  either: 'Keyring or passphrase',
  keyring: 'OS keyring only',
  passphrase: 'Passphrase only',
  both: 'Keyring and passphrase together',
};

export const methodTexts: Record<UnlockMethod, string> = {
  either: 'It opens by itself when you log in. The passphrase opens it as well.',
  keyring: 'It opens by itself when you log in. Lose the keyring, and only a recovery code or a backup is left.',
  passphrase: 'It asks for the passphrase each time Holdfast starts. Nothing renews until you answer.',
  both: 'Neither of them alone opens it. Nothing renews until you answer.',
};

export const lastLocks: Record<LockReason, string> = {
  asked: 'You asked for it',
  idle: 'Nobody used it for a while',
  suspend: 'The computer went to sleep',
  screen_lock: 'The screen was locked',
  user_switch: 'Another user took over',
};

export const check = {
  title: 'Check',
  text: 'Opens every record, compares it with the vault’s own register, and has the database check itself. Changes nothing.',
  now: 'Check now',
  checking: 'Opening every record',
  whole: 'All is well.',
  opened: (n: number) => `${count(n, 'record was', 'records were')} opened, and each is as Holdfast wrote it.`,
  notNewest: 'Every record opens, but this is not known to be the newest state.',
  damaged: (n: number) => `${count(n, 'record is', 'records are')} not as Holdfast wrote ${n === 1 ? 'it' : 'them'}.`,
  damagedText: 'A disk may have failed, or another program wrote to the file. Holdfast uses none of it, and deleted nothing.',
  record: 'Record',
  table: 'Kind',
  what: 'What is wrong',
  database: 'The database says of its own structure',
  mend: 'Take the rest as it is',
  mendText:
    'What was put back counts from then on, recovery codes that were replaced excepted: they are deleted. What is gone is forgotten. What does not open stays, and stays reported. To get it back, restore a backup or sign in again.',
  keyslots: 'Another way opened the vault. Once the rest is taken as it is, “Change what opens it” makes new ways in place of the damaged one.',
  itself: 'The records themselves are there. Taking it as it is makes anew what the vault records of itself.',
  removeText:
    'What does not open, or belongs to no account, can be deleted. With an account its tokens go too; nobody can tell any more where they were issued, so they are not revoked. Accounts of a provider stay, and are not renewed until it is added again under its name.',
  remove: 'Hold to delete',
  removeAgain: 'Press again to delete',
  removed: 'The damaged record is deleted',
  hold: 'Hold to take it as it is',
  again: 'Press again to take it as it is',
  more: (n: number) => `and ${n.toLocaleString()} more`,
};

const tables: Record<string, string> = {
  meta: 'The vault’s own data',
  keyslots: 'Way to open it',
  providers: 'Provider',
  accounts: 'Account',
  credentials: 'Token',
  refresh_journal: 'Renewal under way',
  revocations: 'Queued revocation',
  audit: 'Line of the log',
  register: 'Register',
};

/** A table as people call its records; names come from the agent, and may be any text. */
const tableName = (name: string): string =>
  Object.hasOwn(tables, name) ? (tables[name] ?? name) : clean(name, 40);

export const damage: Record<DamageKind, string> = {
  changed: 'It does not open: it was changed, moved or cut.',
  missing: 'It was there and is gone.',
  older: 'It is an earlier version of itself that was put back.',
  unknown: 'It had been deleted, and was put back.',
  stray: 'It belongs to no account: its account was deleted by another program, or the disk failed.',
};

const keyslots = {
  keyring: 'Way to open it: keyring',
  passphrase: 'Way to open it: passphrase',
  both: 'Way to open it: keyring and passphrase',
  recovery: 'Way to open it: recovery code',
};

/** What kind of record it is; a way to open the vault says which, as far as it can be read. */
export const kindOf = ({ table, keyslot }: DamagedRecord): string => (keyslot ? keyslots[keyslot] : tableName(table));

export const backup = {
  title: 'Backup',
  text: 'A new sealed file with everything in it. Holdfast opens it again before it says that it is done.',
  path: 'File',
  pathHint: 'A new file; one that is there is never overwritten. A stick or another computer survives this one.',
  notAbsolute: 'Begin it with / or ~/.',
  vaultPassphrase: 'Passphrase of the vault',
  own: 'Give the backup a passphrase of its own',
  ownText: 'Otherwise the vault’s passphrase opens it, also after you change that of the vault.',
  ownOnly: 'The vault has no passphrase, so the backup gets one of its own.',
  make: 'Back up',
  making: 'Writing the backup',
  done: 'The backup is made, and opens.',
  leftOut: (n: number) => `${count(n, 'damaged record is', 'damaged records are')} not in it.`,
};

/** What a backup holds. */
export const contents = (report: BackupReport): string =>
  [
    count(report.accounts, 'account', 'accounts'),
    count(report.credentials, 'token', 'tokens'),
    ...(report.providers ? [count(report.providers, 'provider', 'providers')] : []),
    ...(report.revocations ? [count(report.revocations, 'queued revocation', 'queued revocations')] : []),
    count(report.audit_lines, 'line of the log', 'lines of the log'),
  ].join(', ');

export const restore = {
  title: 'Restore a backup',
  lead: 'Holdfast makes a new vault from it. Nothing of it is used before you say so.',
  path: 'Backup file',
  pathHint: 'Such as /media/stick/holdfast.backup, or below ~/ for your home.',
  passphrase: 'Passphrase of the backup',
  unlock: 'How the new vault opens',
  same: 'The backup’s passphrase opens the new vault too.',
  other: 'Choose another passphrase for the vault',
  submit: 'Restore',
  working: 'Restoring the backup',
  workingText: 'The backup is opened, and each record is sealed again under a new key.',
  wrong: 'That passphrase does not open this backup',
  noKeyringYou: 'Let a passphrase open the new vault, or install gnome-keyring or KWallet.',
  wrongYou: 'It is the one that the backup was made with.',
  done: 'The backup is restored',
  madeAt: (when: string) => `Made ${when}.`,
  next: 'Next: the window asks you whether to use it. Accounts that were renewed since then will ask you to sign in.',
  go: 'Go to the vault',
  back: 'Back',
};

export const recovery = {
  title: 'Recovery code',
  text: 'Opens the vault by itself when the passphrase is forgotten or the keyring is gone. It belongs on paper, not on this computer.',
  replaces: 'A code was made before. A new one takes its place, and the old paper opens nothing any more.',
  offer: 'Print a recovery code',
  offerText: 'For the day that the passphrase is forgotten or the keyring is gone. You can make one later under Vault.',
  passphrase: 'Passphrase of the vault',
  make: 'Make a recovery code',
  makeNew: 'Make a new recovery code',
  making: 'Making the code',
  shown: 'Your recovery code',
  shownText: 'It is shown this once. Print it, or write it down, and keep it where you keep keys.',
  covered: 'Covered while another window is in front.',
  goes: (left: string) => `It leaves the screen in ${left}.`,
  print: 'Print',
  copy: 'Copy',
  copied: 'Recovery code copied',
  copiedText: 'For 30 s, then it is taken off the clipboard.',
  notCopied: 'The code could not be copied',
  onPaper: 'I have it on paper',
  done: 'The recovery code on your paper opens the vault.',
  gone: 'The code left the screen.',
  goneText: 'It opens the vault all the same. If it is not on paper yet, make a new one.',
  cancel: 'Cancel',
  sheetTitle: 'Holdfast recovery code',
  sheetText: 'Opens the vault on this person’s computer without passphrase and keyring. Whoever has it and the vault file has the vault.',
  sheetUse: 'To use it: Vault locked, then “Use the recovery code”.',
  sheetMade: (when: string) => `Made ${when}. A newer code or a changed key makes this one void.`,
};

export const changeKey = {
  title: 'Change what opens it',
  text: 'The whole vault is sealed anew under a new key. It is locked meanwhile, for seconds. A copy of before stays open to what opened it then.',
  proof: 'Present passphrase',
  code: 'Recovery code',
  useCode: 'I have the recovery code instead',
  usePassphrase: 'I have the passphrase',
  unlock: 'From then on it opens with',
  renew: 'Choose a new passphrase',
  codeVoid: 'The recovery code of before opens nothing any more after this. Make a new one then.',
  submit: 'Change the key',
  working: 'Changing the key',
  workingText: 'Every record is sealed anew. Should the power fail now, either the old key or the new one opens all of it.',
  done: 'The key was changed',
  doneText: (code: boolean) => (code ? 'The recovery code of before is void. Make a new one.' : ''),
};

export const fresh = {
  passphrase: 'New passphrase',
  strength: (level: string) => `Strength: ${level || 'nothing entered'}`,
};
