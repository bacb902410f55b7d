/*
 * Every sentence of the window, in one place, so that it can be checked and translated. Rules: what is true now, then
 * what happens next, then what to do; verbs on buttons; numbers and names instead of adjectives; no blame.
 */
import type { ErrorCode, SignOutOutcome, SignOutReport } from './backend/backend';
import type { Group, Account } from './account';
import type { Shown } from './life';
import { clean, OWN_TEXT_MAX } from './text';
import { at, at0, dur, instant, span, within } from './time';

/** `one` for 1, `many` otherwise, with the number in front. */
export const count = (n: number, one: string, many: string): string => `${n.toLocaleString()} ${n === 1 ? one : many}`;

export const app = {
  name: 'Holdfast',
  skip: 'Skip to content',
  title: (page: string) => `${page} · Holdfast`,
};

export const states: Record<Shown, string> = {
  active: 'Active',
  expiring: 'Expiring soon',
  refreshing: 'Refreshing',
  needs: 'Needs sign-in',
  offline: 'Offline',
  revoked: 'Revoked',
  signedout: 'Signed out',
};

/** Failures of the way to the provider; every other trouble is the provider's own, and is called retrying. */
const UNREACHED: ReadonlySet<string> = new Set<ErrorCode>([
  'provider_host_not_found', 'provider_unreachable', 'provider_timed_out',
]);

export function stateWord(pill: Shown, of: Account): string {
  if (pill === 'offline' && !(of.trouble && UNREACHED.has(of.trouble.code))) return 'Retrying';
  if (pill === 'signedout' && of.state === 'disposed') return 'Removed';
  return states[pill];
}

export const groups: Record<Group, string> = {
  needs: 'Needs you',
  soon: 'Expiring soon',
  held: 'Held',
  not: 'Not held',
};

export const starting = {
  title: 'Starting',
  text: 'Waiting for the process that keeps your vault.',
  lostTitle: 'The vault process does not answer',
  lostWhat: 'Holdfast keeps secrets in a process of its own. The window cannot reach it.',
  lostDid: 'It keeps trying, and starts that process when it is not there. Nothing was written or deleted.',
  lostYou: 'Wait a moment. If this stays, quit Holdfast and open it again.',
  strip: 'The vault process does not answer.',
  stripText: 'Times go on counting down from what it said last. Holdfast keeps trying to reach it.',
};

export const nav = {
  main: 'Main',
  accounts: 'Accounts',
  vault: 'Vault',
  needYou: 'need you',
  signOutAll: 'Sign out of everything',
  lock: 'Lock now',
  theme: { system: 'Theme: as the system', dark: 'Theme: dark', light: 'Theme: light' },
  holding: (held: number, all: number) => `Holding ${held.toLocaleString()} of ${all.toLocaleString()}`,
  holdingNothing: 'Nothing held yet',
  unavailable: 'Vault process unreachable',
  nextRenewal: (name: string) => `Next renewal: ${name}`,
  queued: (n: number) => count(n, 'revocation waits to be tried again', 'revocations wait to be tried again'),
};

export const firstRun = {
  steps: ['Protection', 'Passphrase', 'Ready'],
  step: (n: number) => `Step ${n} of 3`,
  question: 'How should your vault open?',
  lead: 'The vault keeps your sign-ins encrypted on this computer.',
  recommended: 'Recommended',
  continue: 'Continue',
  back: 'Back',
  noKeyring: 'No keyring answers on this desktop.',
  noKeyringText:
    'Holdfast asked for the Secret Service and got no answer. Install gnome-keyring or KWallet to use it, or go on with a passphrase.',
  choosePassphrase: 'Choose a passphrase',
  passphraseLead: 'Five or more random words are strong and easy to type. Holdfast cannot reset it.',
  passphrase: 'Passphrase',
  again: 'Again',
  differ: 'The two are not the same.',
  show: 'Show passphrase',
  suggest: 'Suggest one',
  suggestHint: 'Made by chance on this computer. Write it down before you go on, then type it once more.',
  understood: 'I understand that nobody can reset this passphrase.',
  understoodText: 'Your accounts are not lost with it. You would sign in to each again.',
  create: 'Create vault',
  creating: 'Creating your vault',
  creatingSteps: [
    ['A random vault key is made', ''],
    ['The key is locked with your passphrase', 'Argon2id, about 1 s'],
    ['The key is stored in the OS keyring', 'Your desktop may ask for permission'],
    ['An empty vault is encrypted', ''],
  ] as const,
  ready: 'Your vault is ready',
  readyText: {
    either: 'It opens by itself when you log in, and the passphrase opens it as well.',
    keyring: 'It opens by itself when you log in.',
    passphrase: 'It asks for the passphrase each time Holdfast starts. Nothing renews until you answer.',
    both: 'It opens with the keyring and the passphrase together.',
  },
  addFirst: 'Add your first account',
  later: 'Later',
  restore: 'Restore a backup',
};

type Fact = readonly [kind: 'ok' | 'note' | 'bad', fact: string, consequence: string];
interface Protection {
  readonly id: 'either' | 'keyring' | 'passphrase';
  readonly title: string;
  readonly text: string;
  readonly facts: readonly Fact[];
}

export const protections: readonly Protection[] = [
  {
    id: 'either', title: 'Keyring and passphrase', text: 'Opens by itself. Either one opens it.',
    facts: [
      ['ok', 'Opens when you log in', 'Renewals start at once.'],
      ['ok', 'Lose the keyring, keep the vault', 'The passphrase still opens it.'],
      ['ok', 'You can move to another computer', 'The passphrase opens a copy of the vault.'],
      ['note', 'Another program of yours could ask the keyring', 'It would get the vault key, not the passphrase.'],
    ],
  },
  {
    id: 'keyring', title: 'OS keyring only', text: 'Nothing to remember.',
    facts: [
      ['ok', 'Opens when you log in', 'Renewals start at once.'],
      ['note', 'Whoever can use your desktop can use the vault', 'There is no second question.'],
      ['bad', 'Lose the keyring, lose the vault', 'You sign in to each account again.'],
    ],
  },
  {
    id: 'passphrase', title: 'Passphrase only', text: 'Strictest.',
    facts: [
      ['note', 'Asks each time you start Holdfast', 'Nothing renews until you answer.'],
      ['ok', 'Nothing on this computer can open it', 'Not even while you are logged in.'],
      ['bad', 'Forget it, lose the vault', 'Nobody can reset it. You sign in to each account again.'],
    ],
  },
];

export const strength = ['', 'weak', 'fair', 'strong', 'very strong'] as const;

export const unlock = {
  title: 'Vault locked',
  text: {
    passphrase: 'Enter your passphrase to open it.',
    either: 'Enter your passphrase, or open it with the keyring.',
    keyring: 'It opens with your desktop’s keyring.',
    both: 'Enter your passphrase. The keyring is asked as well.',
  },
  why: {
    asked: '',
    idle: 'Holdfast locked it because nobody used it for a while.',
    suspend: 'Holdfast locked it before the computer went to sleep.',
    screen_lock: 'Holdfast locked it together with the screen.',
    user_switch: 'Holdfast locked it when another user took over.',
  },
  passphrase: 'Passphrase',
  submit: 'Unlock',
  opening: 'Opening the vault',
  slow: 'Deriving the key takes about a second on purpose. It slows down anyone who guesses.',
  keyring: 'Try the keyring again',
  keyringOnly: 'Unlock your desktop’s keyring, then try again.',
  waiting: 'Waiting for the keyring. Your desktop may ask for its password.',
  wrong: 'That passphrase does not open this vault.',
  capsLock: 'Caps Lock is on.',
  sure: 'If you are sure of it, the vault file may have been changed: that cannot be told apart. Use the recovery code, or a backup.',
  tries: (n: number) => (n > 1 ? `${n} tries in a row.` : ''),
  wait: (left: string) => `You can try again in ${left}. Nothing is erased.`,
  paused: 'Renewals are paused.',
  pausedText: 'While locked, Holdfast cannot read refresh tokens.',
  helpers: 'Helper tools get “vault locked”.',
  helpersText: 'Nothing is handed out until you unlock.',
  useCode: 'Use the recovery code',
  usePassphrase: 'Use the passphrase',
  backToUsual: 'Back',
  code: 'Recovery code',
  codeText: 'Enter the recovery code that you put on paper: eight groups of four.',
  wrongCode: 'That recovery code does not open this vault.',
};

export const accounts = {
  title: 'Accounts',
  add: 'Add account',
  find: 'Find accounts',
  show: 'Show',
  all: 'All',
  groupBy: 'Group',
  grouping: { urgency: 'By urgency', provider: 'By provider', none: 'No groups' },
  columns: { account: 'Account', state: 'State', next: 'Next', life: 'Lifetime', wall: 'Sign in again' },
  lifeKey: 'Capsule: time left before it must be renewed. Line: the whole life. Post: you must sign in again.',
  again: { sign_in: 'Sign in', retry: 'Try again' },
  againWith: { sign_in: (name: string) => `Sign in to ${name}`, retry: (name: string) => `Try ${name} again` },
  refresh: 'Refresh now',
  refreshing: (name: string) => `Refreshing ${name}`,
  nextToEnd: 'Next to end: ',
  shownOf: (n: number, all: number) => `${n.toLocaleString()} of ${all.toLocaleString()}`,
  needYou: (n: number) => (n === 1 ? '1 needs you' : `${n} need you`),
  emptyTitle: 'Nothing to hold yet',
  emptyText:
    'Sign in to a service once. Holdfast keeps it signed in, shows you when that has to end, and signs you out of everything in one go.',
  emptyFoot: 'Tokens stay encrypted on this computer. Nothing is sent anywhere except to the services you add.',
  noneTitle: 'No account matches',
  none: (query: string) =>
    query
      ? `Nothing here is called “${query}”. Search looks at names, sign-in names and providers.`
      : 'Nothing in this view. That is good news.',
  clear: 'Clear filters',
};

/** The two lines of the column Next. */
export function nextText(of: Account, pill: Shown, now: number): [string, string] {
  if (pill === 'needs') return ['Stopped', ''];
  if (of.state === 'refreshing') return ['Now', 'refreshing'];
  if (!of.next || pill === 'revoked' || pill === 'signedout') return ['—', ''];
  const left = of.next.at - now;
  const text = left > 0 ? dur(left) : 'Now';
  switch (of.next.action) {
    case 'retry': return [text, `to try ${(of.trouble?.attempts ?? 0) + 1}`];
    case 'renew': return [text, of.trouble ? `to try ${of.trouble.attempts + 1}` : left > 0 ? 'to refresh' : 'about to refresh'];
    case 'remind': return [text, 'to a reminder'];
    default: return [text, 'to its end'];
  }
}

/** The two lines of the column Sign in again. */
export function wallText(of: Account, pill: Shown, now: number): [string, string] {
  const since = of.reason?.at;
  if (pill === 'revoked') return ['—', since ? `Revoked ${at0(since, now)}` : 'Revoked'];
  if (pill === 'signedout') return ['—', since ? `Signed out ${at0(since, now)}` : 'Signed out'];
  if (pill === 'needs') return ['Now', since ? `since ${at0(since, now)}` : 'to continue'];
  const wall = of.life.absolute;
  if (wall === 'unknown') return ['Unknown', 'not published'];
  if (wall === null) return of.renewable ? ['No limit', 'while it is renewed'] : ['Unknown', 'not published'];
  return [dur(Math.max(0, wall - now)), at(wall, now)];
}

export const page = {
  back: 'Back to accounts',
  previous: 'Previous account',
  next: 'Next account',
  refresh: 'Refresh now',
  again: { sign_in: 'Sign in again', retry: 'Try again' },
  gone: 'This account is not in the vault any more',
  goneText: 'It was removed, or it never was here.',
  toAccounts: 'Go to accounts',
  identity: 'Identity',
  signedInAs: 'Signed in as',
  issuer: 'Issuer',
  since: 'Since',
  signedInWith: 'Signed in with',
  sources: {
    authorization_code: 'System browser, PKCE',
    client_credentials: 'Nobody: the app proves itself',
    token_exchange: 'Nobody: another account’s token is exchanged',
    jwt_bearer: 'Nobody: a key signs a statement',
    static: 'Nobody: the token was entered by hand',
  } as Record<string, string>,
  scopes: 'Scopes',
  tokens: 'Tokens',
  tokensNote: 'Tokens stay inside the vault process. This window knows their fingerprints only.',
  tokenNames: { access_token: 'Access token', refresh_token: 'Refresh token', id_token: 'ID token', dpop_key: 'DPoP key', source_secret: 'Source secret' },
  tokenTexts: {
    access_token: 'Proves your right to call the service. Sent with each request.',
    refresh_token: 'Gets new access tokens. Never leaves the vault, not even for you.',
    id_token: 'States who signed in. Not a key to anything, but it holds personal data.',
    dpop_key: 'Proves that requests come from this vault. Never leaves it, not even for you.',
    source_secret: 'What the account’s tokens are made from. Never leaves the vault, not even for you.',
  },
  fingerprint: 'fingerprint',
  renewals: (n: number) => (n === 0 ? 'as received at sign-in' : `renewed ${count(n, 'time', 'times')}`),
  ends: (when: string) => `Ends ${when}`,
  ended: (when: string) => `Ended ${when}`,
  closes: (when: string) => `Window closes ${when}`,
  closed: (when: string) => `Window closed ${when}`,
  noEnd: 'No end published',
  endsWithAccount: 'Ends with the account',
  origins: { reported: 'said by the provider', jwt: 'read from the token', declared: 'from your provider settings', assumed: 'a cautious guess' } as Record<string, string>,
  ending: 'Ending access',
  signOut: 'Sign out',
  signOutText: 'Revokes at the provider if it can, then deletes the tokens here. The account stays in the list so you can sign in again.',
  revoke: 'Revoke tokens',
  revokeText: 'The provider refuses them from now on. Programs that use them fail at once.',
  holdRevoke: 'Hold to revoke',
  againRevoke: 'Press again to revoke',
  remove: 'Remove from Holdfast',
  removeText: 'Signs out first, then deletes the row and its history.',
  holdRemove: 'Hold to remove',
  againRemove: 'Press again to remove',
  keepHolding: 'Keep holding',
  refreshed: (name: string) => `${name} refreshed`,
  removed: (name: string) => `${name} removed`,
};

export const instrument = {
  label: 'Lifetime',
  next: 'Next renewal',
  window: 'Window closes',
  wall: 'Sign in again',
  wholeLife: (total: number) => `Whole life, ${span(total)}`,
  from: (when: string) => `from ${when}`,
  limit: (when: string) => `Hard limit ${when}`,
  more: (n: number) =>
    n < 1 ? 'this is the last window' : n === 1 ? 'about 1 more full window' : `about ${n} more full windows`,
  windowOf: (length: number) => `Renewal window, ${span(length)}`,
  renewed: (when: string) => `renewed ${when}`,
  closes: (when: string) => `Closes ${when}`,
  closed: (when: string) => `Closed ${when}`,
  cut: 'cut short by the hard limit',
  noLimit: 'no hard limit',
  unpublished: 'hard limit not published',
  cannotRenew: 'cannot be renewed',
  unknownFromHere: 'unknown from here',
  movesOn: 'moves on with every renewal',
  now: (when: string) => `now ${when}`,
  refresh: (when: string) => `refresh ${when}`,
  retry: (when: string) => `try again ${when}`,
  accessEnds: (when: string) => `access token ends ${when}`,
  nothingKnown:
    'The provider publishes neither a window nor a hard limit. Holdfast refreshes when the access token is about to end and tells you as soon as a refresh is refused.',
  nothingHeld: 'Nothing is held for this account. Sign in to hold it again.',
};

export const add = {
  title: 'Add account',
  find: 'Find a provider, or paste an issuer address',
  browser: 'Sign in with your browser',
  browserText: 'You sign in on the provider’s own page. Holdfast never sees your password.',
  any: 'Another service',
  anyText: 'From a list, or by its address',
  noProviders: 'No provider is set up yet. Add one of the services that Holdfast knows, or any other by its address.',
  none: (query: string) => `No provider is called “${query}”.`,
  nobody: 'Without a sign-in',
  nobodyText: 'Tokens that are made from something that the vault holds. They are renewed like all others.',
  source: 'Client, key or other account',
  sourceText: 'For programs, not for people',
  bring: 'Bring them along',
  bringText: 'What another program or a list holds already.',
  import: 'Import files',
  importText: 'oidc-agent, tokens, providers',
  formTitle: 'Any OpenID Connect provider',
  issuer: 'Issuer address',
  issuerHint: 'As the provider writes it, with https. Holdfast looks it up before it keeps anything.',
  issuerNotHttps: 'The address has to begin with https://.',
  clientId: 'Client ID',
  clientIdHint: 'Ask the administrator for a “native” or “desktop” app with the redirect http://127.0.0.1/callback.',
  displayName: 'Name in Holdfast',
  displayNameHint: 'What you want to call this provider.',
  scopes: 'Scopes',
  scopesHint: 'Ask only for what you need. offline_access keeps you signed in.',
  continue: 'Continue in browser',
  checking: 'Looking the provider up',
  cancel: 'Cancel',
  what: 'What happens',
  steps: [
    'Holdfast reads the provider’s own description at the issuer address, and checks that it names itself by the same address.',
    'Your browser opens the provider’s page. You sign in there.',
    'The answer comes back to this computer once. Holdfast trades it for tokens and keeps them encrypted.',
  ],
  optional: 'optional',
};

export const signIn = {
  title: 'Sign in',
  starting: (name: string) => `Asking ${name} for a sign-in`,
  finish: (name: string) => `Finish signing in to ${name} in your browser`,
  beforeYouGo: 'Before you sign in',
  opened: 'Your browser opened',
  openedRest: '. Come back when it says you can close the tab.',
  notOpened: 'No browser opened. Copy the link and open it yourself, on this computer.',
  openAgain: 'Open again',
  copyLink: 'Copy link',
  cancel: 'Cancel',
  waiting: 'Waiting',
  limit: (length: string) => `The link is good for ${length}.`,
  over: 'The time for it is over.',
  exchanging: 'The browser came back. Trading the answer for tokens.',
  how: 'How the answer comes back',
  howText: (where: string) => `To ${where} on this computer, once, protected with PKCE and a state value. Then the port closes.`,
  howOwnScheme: 'By the desktop, which opens Holdfast with the answer: once, protected with PKCE and a state value.',
  copied: 'Sign-in link copied',
  copiedText: (left: string) => `It works once, on this computer, for the next ${left}.`,
  notCopied: 'The link could not be copied',
  notOpenedAgain: 'No browser opened',
  held: (name: string) => `${name} is held`,
  heldUntil: (when: string) => `Holdfast refreshes it in the background. You will have to sign in again ${within(when)}, whatever happens.`,
  heldUnknown: 'Holdfast refreshes it in the background, and tells you when the provider asks for you again.',
  heldOnce: (when: string) => `The provider gave no refresh token. It ends ${within(when)}, and then asks for you again.`,
  done: 'Done',
  another: 'Add another',
  tryAgain: 'Try again',
  otherWay: 'Choose another provider',
  copyMessage: 'Copy message for the administrator',
  messageCopied: 'Message copied',
};

export const signOutAll = {
  title: 'Sign out of everything',
  question: (n: number) => `Sign out of ${count(n, 'account', 'accounts')} on this computer?`,
  lead: 'Use this when you hand over the computer, or think somebody else used it.',
  hereTitle: (n: number) => `${n.toLocaleString()} ${n === 1 ? 'ends' : 'end'} on this computer at once`,
  hereText: 'From that moment nothing is handed out, and planned renewals are cancelled.',
  thereTitle: 'Holdfast asks each provider to revoke',
  thereText: 'Where a provider confirms, the tokens are refused everywhere. Where it has no way to revoke, a copy elsewhere would work until it ends by itself.',
  laterTitle: 'Who does not answer is asked again',
  laterText: 'The token is kept sealed only to revoke it, also after a restart. The summary names each account.',
  more: (n: number) => `and ${n.toLocaleString()} more`,
  browser: 'Your browser stays signed in at the providers.',
  hold: 'Hold to sign out of everything',
  again: 'Press again to sign out of everything',
  orTwice: 'Or press Enter twice. Cannot be undone.',
  cancel: 'Cancel',
  running: 'Signing out, ',
  runningText: 'Nothing is handed out any more. Each provider is being asked to revoke.',
  of: (done: number, all: number) => `${done.toLocaleString()} of ${all.toLocaleString()}`,
  nothingTitle: 'You are signed out everywhere',
  nothingText: 'Holdfast holds no tokens. There is nothing to sign out of.',
  doneTitle: 'You are signed out on this computer.',
  counts: { revoked: 'revoked at the provider', ended_here_only: 'ended here only', queued: 'will be tried again', nothing_to_revoke: 'had nothing to revoke' } satisfies Record<SignOutOutcome, string>,
  still: 'What still works somewhere, and for how long',
  endedEverywhere: (n: number) => `Show the ${n.toLocaleString()} that ${n === 1 ? 'is' : 'are'} ended everywhere`,
  done: 'Done',
};

export const outcomes: Record<SignOutOutcome, string> = {
  revoked: 'Revoked at the provider',
  ended_here_only: 'Ended here only',
  queued: 'Will be tried again',
  nothing_to_revoke: 'Nothing to revoke',
};

/** What became of one account's tokens, until when something may still work, and where only its person can end it. */
export function signOutText(report: SignOutReport, now: number): string {
  const over = (kind: string) => report.tokens.some(({ token, outcome }) => token === kind && outcome === 'revoked');
  const page = clean(report.end_it_at);
  const why = clean(report.tokens.find(({ outcome, detail }) => outcome === 'ended_here_only' && detail)?.detail, OWN_TEXT_MAX);
  const effect = clean(report.effect, OWN_TEXT_MAX);
  const onlyYou = page ? `Only you can end what is left there, at ${page}.` : '';
  const here = why || page
    ? `Deleted here. ${why || 'The provider does not revoke these tokens.'} ${onlyYou || 'Open its page to end the session there.'}`
    : 'Deleted here. The provider does not revoke these tokens; open its page to end the session there.';
  const queued = 'Gone here. The provider did not answer. What it takes to revoke is kept sealed only for that, and Holdfast tries again.';
  const text = {
    revoked: `The provider confirmed it.${effect ? '' : ' Nothing of it works any more.'}`,
    ended_here_only: over('refresh_token')
      ? 'The provider ended the session. It cannot revoke the access token.'
      : over('access_token') ? `The provider ended the access token. The refresh token is deleted here only. ${onlyYou}`.trim() : here,
    queued: page ? `${queued} You need not wait: end it at ${page}.` : queued,
    nothing_to_revoke: 'There was nothing to revoke.',
  }[report.outcome];
  return [text, effect, left(report, now)].filter(Boolean).join(' ');
}

/** Until when what is left works. */
function left(report: SignOutReport, now: number): string {
  const until = instant(report.still_valid_until);
  if (until === null) return '';
  const open = report.tokens.find(({ outcome, still_valid_until }) => outcome !== 'revoked' && still_valid_until === null);
  const works = `works until ${within(at(until, now))}`;
  if (!open) return `What is left there ${works}.`;
  const [one, other] = open.token === 'refresh_token' ? ['access token', 'refresh token'] : ['refresh token', 'access token'];
  return `The ${one} ${works}; when the ${other} ends is not known.`;
}

/** One honest sentence over all reports. */
export function signOutSummary(reports: readonly SignOutReport[]): string {
  const n = (outcome: SignOutOutcome) => reports.filter((report) => report.outcome === outcome).length;
  const parts = [`${n('revoked')} of ${reports.length} ${n('revoked') === 1 ? 'is' : 'are'} ended at the provider too.`];
  const nothing = n('nothing_to_revoke');
  const here = n('ended_here_only');
  const queued = n('queued');
  if (nothing) parts.push(`${nothing} had nothing to revoke.`);
  if (here) parts.push(`${here} could only be ended here.`);
  if (queued) parts.push(`${queued} ${queued === 1 ? 'is' : 'are'} still to be confirmed.`);
  return parts.join(' ');
}

export const toast = { region: 'Notices', dismiss: 'Dismiss' };

export const failure = {
  what: 'What happened',
  did: 'What Holdfast did',
  you: 'What you can do',
};

export { explain, explainReason, explainTrouble, type Failure, reasonLine } from './failures';
