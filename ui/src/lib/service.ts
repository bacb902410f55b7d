/* What a profile asks for and says, as pure functions. */
import type { ProfileView, VariableView } from './backend/backend';
import { host } from './text';

/** Profiles for what is in no list: the window asks for their addresses in its own words. */
export const BY_HAND = { oidc: 'generic-oidc', oauth2: 'generic-oauth2' } as const;

/** Where Holdfast receives answers when any port serves. The receiver's path is always this one. */
export const ANY_PORT = 'http://127.0.0.1/callback';
/** What is proposed where the service compares every letter, the port among them. */
export const FIXED = 'http://127.0.0.1:49152/callback';

const LOOPBACK = /^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?=[:/]|$)/;

/** Whether an address would go over the network unencrypted. */
export const insecure = (address: string): boolean => /^http:\/\/[^/]/.test(address) && !LOOPBACK.test(address);

/** Of the scheme that the desktop registers: the agent looks at each part of the path. */
const OWN_SCHEME = /^app\.holdfast\.desktop:(?:\/[A-Za-z0-9._~-]+)+$/;

/** Whether an answer comes back by the desktop itself, and not by a port. */
export const byOwnScheme = (address: string | null | undefined): boolean => OWN_SCHEME.test(address ?? '');

/** Whether Holdfast can receive an answer there: plain http to this computer, with a port; or by its own scheme. */
export function receivable(address: string): boolean {
  if (byOwnScheme(address)) return true;
  const port = /^http:\/\/(?:127(?:\.\d{1,3}){3}|localhost|\[::1\]):(\d{1,5})(?:\/[^\s#]*)?$/.exec(address)?.[1];
  return port !== undefined && Number(port) > 0 && Number(port) < 65536;
}

/** The client of such a service has a secret. */
export const needsSecret = (profile: ProfileView): boolean => profile.client_authentication !== 'none';

/**
 * Whether a program may ask there for a client of its own: a server that each customer has for themselves, or one in no list,
 * where the usual client has no secret. Services with one address for everybody have a page for it.
 */
export const mayRegister = (profile: ProfileView): boolean => !needsSecret(profile) && /^(?:https:\/\/)?[^/]*\{/.test(profile.issuer);

/** Whether it is known and nobody can sign in there. */
export const barred = (profile: ProfileView): boolean => profile.unsupported !== null || profile.redirect === 'https_only';

const braced = (name: string): string => `{${name}}`;

/** The variables, those of the issuer first, in the order in which they stand in it. */
export function variablesOf(profile: ProfileView): VariableView[] {
  const at = ({ name }: VariableView) => (profile.issuer.includes(braced(name)) ? profile.issuer.indexOf(braced(name)) : Infinity);
  return [...profile.variables].sort((one, other) => (at(one) === at(other) ? 0 : at(one) - at(other)));
}

/** Whether the whole address is the variable's value, and not a piece of one. */
export const isAddress = (profile: ProfileView, { name }: VariableView): boolean =>
  profile.issuer === braced(name) || name.endsWith('_endpoint');

/** The example within a description, such as `na1` in “Data centre, such as na1 or eu1”. */
export const example = (description: string): string =>
  /\bsuch as (\S+?)[.,;]?(?:\s|$)/.exec(description)?.[1] ?? '';

/** An address with the values of its variables; empty while one of them is missing. */
export function filled(address: string | null, values: Readonly<Record<string, string>>): string {
  if (!address) return '';
  const whole = address.replace(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(values, name) && values[name]) || whole);
  return whole.includes('{') ? '' : whole;
}

/** What the variables are when nobody says. */
export const usual = (profile: ProfileView): Record<string, string> =>
  Object.fromEntries(profile.variables.map(({ name, default: value }) => [name, value ?? '']));

/** The host that a service has for everybody; empty where it differs from one customer to the next. */
export const usualHost = (profile: ProfileView): string => host(filled(profile.issuer, usual(profile)));

/** A name for people that none of the providers has yet. */
export function proposed(called: string, taken: readonly string[]): string {
  let name = called;
  for (let n = 2; taken.includes(name); n += 1) name = `${called} ${n}`;
  return name;
}
