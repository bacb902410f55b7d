/*
 * The one door between the window and the rest of Holdfast. Views and stores know this interface only; what stands
 * behind it is the desktop process (tauri.ts), or a stand-in for tests and for work on the views (mock.ts).
 *
 * Nothing here can return a token: no such call exists.
 */
import type { AddProvider } from '../generated/AddProvider';
import type { ErrorBody } from '../generated/ErrorBody';
import type { Event } from '../generated/Event';
import type { SignInView } from '../generated/SignInView';
import type { SignOutReport } from '../generated/SignOutReport';
import type { UnlockMethod } from '../generated/UnlockMethod';

export type { AccountView } from '../generated/AccountView';
export type { AddProvider } from '../generated/AddProvider';
export type { CredentialView } from '../generated/CredentialView';
export type { ErrorBody } from '../generated/ErrorBody';
export type { ErrorCode } from '../generated/ErrorCode';
export type { Event } from '../generated/Event';
export type { ProviderView } from '../generated/ProviderView';
export type { SignInView } from '../generated/SignInView';
export type { SignOutOutcome } from '../generated/SignOutOutcome';
export type { SignOutReport } from '../generated/SignOutReport';
export type { Snapshot } from '../generated/Snapshot';
export type { State } from '../generated/State';
export type { Status } from '../generated/Status';
export type { UnlockMethod } from '../generated/UnlockMethod';

/** Whether the desktop process reaches the agent. */
export interface Connection {
  state: 'connecting' | 'connected' | 'lost';
  /** Why, in words. */
  message?: string | undefined;
}

/** What the person fills in to name a provider that Holdfast does not know. */
export type NewProvider = Pick<AddProvider, 'name' | 'display_name' | 'issuer' | 'client_id' | 'scopes'>;

export interface StartedSignIn {
  sign_in: SignInView;
  /** Whether the system browser was opened; otherwise the person needs the link. */
  browser_opened: boolean;
}

/** Every call rejects with an `ErrorBody`. */
export interface Backend {
  /** Follows the agent: a snapshot, then changes. The result ends it. */
  subscribe(onEvent: (event: Event) => void, onConnection: (connection: Connection) => void): () => void;

  initVault(request: { unlock: UnlockMethod; passphrase: string | null }): Promise<void>;
  /** Without a passphrase the keyring is asked. */
  unlockVault(request: { passphrase: string | null }): Promise<void>;
  lockVault(): Promise<void>;

  addProvider(request: NewProvider): Promise<void>;

  /** Begins a sign-in and opens the system browser. */
  startSignIn(request: { provider: string; label: string | null; scopes: string[] }): Promise<StartedSignIn>;
  /** Opens the browser again; resolves to whether that worked. */
  openSignInAgain(id: string): Promise<boolean>;
  /** Has the desktop write the link to the clipboard; resolves to whether that worked. */
  copySignInLink(id: string): Promise<boolean>;
  cancelSignIn(id: string): Promise<void>;

  refreshAccount(id: string): Promise<void>;
  revokeAccount(id: string): Promise<SignOutReport>;
  signOutAccount(id: string): Promise<SignOutReport>;
  /** Signs out, then takes the row and its history away. */
  removeAccount(id: string): Promise<SignOutReport>;
  signOutAll(): Promise<SignOutReport[]>;
}

/** Whatever was thrown, as an `ErrorBody`. */
export function errorBody(thrown: unknown): ErrorBody {
  if (typeof thrown === 'object' && thrown !== null && 'code' in thrown && 'message' in thrown) {
    return { hint: null, retry_after_s: null, ...thrown } as ErrorBody;
  }
  const message = thrown instanceof Error ? thrown.message : typeof thrown === 'string' ? thrown : '';
  return { code: 'internal', message, hint: null, retry_after_s: null };
}
