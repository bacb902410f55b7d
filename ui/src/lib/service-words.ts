/* The sentences of choosing a service and of adding it. The rules of words.ts hold. */
import type { ProfileView } from './backend/backend';
import { BY_HAND, usualHost, variablesOf } from './service';
import { clean } from './text';
import { S, span } from './time';

export const services = {
  title: 'Which service?',
  find: 'Find a service, or paste an issuer address',
  known: 'Services that Holdfast knows',
  knownText: 'You need a client ID from each. The form says where you get it.',
  none: (query: string) => `No service is called “${query}”.`,
  onlyShut: 'Holdfast knows it and cannot add it yet. The reason stands below.',
  found: (n: number) => (n === 1 ? '1 service found.' : `${n.toLocaleString()} services found.`),
  other: 'Not in the list',
  otherText: 'Any service that speaks one of the two standards.',
  oidc: 'Another OpenID Connect provider',
  oidcText: 'By its issuer address',
  oauth2: 'Another OAuth 2 service',
  oauth2Text: 'Its addresses by hand',
  notYet: 'Known, but not possible yet',
  httpsOnly: 'It sends its answer to https addresses only. No program can receive it on this computer.',
  backToServices: 'Back to the services',
};

/** What stands below a service's name: where it is, or what of it differs for everybody. */
export function whereabouts(profile: ProfileView): string {
  const asks = variablesOf(profile).filter((variable) => variable.default === null).map(({ name }) => label(name).toLocaleLowerCase());
  return usualHost(profile) || `You name its ${asks.join(' and ')}`;
}

export const barredText = (profile: ProfileView): string => clean(profile.unsupported, 300) || services.httpsOnly;

const LABELS: Readonly<Record<string, string>> = { dc: 'Data centre', env: 'Environment', pool: 'User pool', shard: 'Data centre' };

/** What a variable is called for people: its own name as words, where no better one is known. */
export function label(name: string): string {
  if (Object.hasOwn(LABELS, name)) return LABELS[name] ?? name;
  const plain = clean(name, 64).replace(/_/g, ' ');
  return plain.charAt(0).toLocaleUpperCase() + plain.slice(1);
}

export const service = {
  oauth2Title: 'Any OAuth 2 service',
  /** Before anybody has named it. */
  itself: 'the service',
  register: 'Register a client there first',
  registerText: (name: string) => `A client ID tells ${name} that Holdfast is asking. You get it on its page, once.`,
  registerAsk: (name: string) => `A client ID tells ${name} that Holdfast is asking. Whoever administers it there can give you one.`,
  open: 'Register a client',
  openAt: (where: string) => `Register a client at ${where}`,
  fillFirst: 'Fill in the fields above, and this button opens the page.',
  notOpened: 'No browser opened',
  notOpenedText: (address: string) => `Open ${address} yourself.`,
  notOpenedPlain: 'Open the page of the service yourself.',
  redirect: 'Redirect URI to register',
  redirectFixed: 'The service compares it to the letter. Register exactly this, or write here what you registered: another port, or localhost.',
  redirectAny: 'Holdfast takes any free port. If the service compares the port too, or wants localhost, write that address here with a port.',
  redirectOwn: 'Holdfast registers any port of this computer, with a path for this service alone. If the service wants a port too, write that address here.',
  redirectWrong: 'It has to look like http://127.0.0.1:49152/callback, with a port, or like app.holdfast.desktop:/callback/name.',
  copy: 'Copy redirect URI',
  copied: 'Redirect URI copied',
  notCopied: 'The redirect URI could not be copied',
  clientId: 'As the service shows it after you registered.',
  secret: 'Client secret',
  showSecret: 'Show client secret',
  secretText: 'The service wants it with every renewal. It goes into the vault, and this window forgets it with the press that sends it.',
  secretOptional: 'Only when the service gave you one. This window forgets it with the press that sends it.',
  secretAgain: 'The secret was sent and forgotten. Enter it again.',
  scopes: 'Ask only for what you need.',
  offline: 'Ask only for what you need. offline_access keeps you signed in.',
  noScopes: 'What the service calls the rights that you need, with spaces between them. Leave it empty where it has none.',
  more: 'More options',
  userinfo: 'Userinfo endpoint',
  userinfoText: 'Where Holdfast asks whose account it is. Without it, give the account a name of your own.',
  subject: 'Place of the person in its answer',
  subjectText: 'A JSON pointer to what never changes of a person. Needed unless the answer is the one of OpenID Connect.',
  subjectWrong: 'It has to begin with a slash.',
  steps: {
    first: {
      profile: 'Holdfast puts together what it knows of the service and what you fill in. It keeps nothing that does not fit.',
      hand: 'Holdfast takes the addresses as you write them. It keeps nothing that does not fit.',
    },
    client: 'Your browser opens the service’s page. You sign in there.',
    last: 'The answer comes back to this computer once. Holdfast trades it for tokens and keeps them encrypted.',
  },
  lasts: 'How long it lasts',
  revoking: 'What a revocation there ends',
  byHand: 'You can also end it yourself at',
  know: 'Good to know',
  live: (n: number) => `${n.toLocaleString()} sign-ins at a time`,
  liveText: (name: string, n: number) =>
    `${name} keeps ${n.toLocaleString()} for one person and client. One more ends the oldest without a message, here or in another program.`,
};

/** How long a session there lasts, a sentence each. */
export function lasts({ refresh_absolute_s: hard, refresh_sliding_s: window, access_lifetime_s: access }: ProfileView): string[] {
  const length = (seconds: number) => span(seconds * S);
  const said = [];
  if (hard !== null) said.push(`You sign in again ${length(hard)} after a sign-in, however often it is renewed.`);
  if (window !== null) said.push(`It ends when nothing renews it for ${length(window)}.`);
  if (hard === null && window === null) said.push('No limit is published. Holdfast tells you when the service asks for you again.');
  if (access !== null) said.push(`An access token lives ${length(access)}. Holdfast renews it if the service lets it.`);
  return said;
}

export const isByHand = (profile: ProfileView): boolean => profile.name === BY_HAND.oidc || profile.name === BY_HAND.oauth2;
