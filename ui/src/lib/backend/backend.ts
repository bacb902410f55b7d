/*
 * The one door between the window and the rest of Holdfast. Views and stores know this interface only; what stands
 * behind it is the desktop process (tauri.ts), or a stand-in for tests and for work on the views (mock.ts).
 *
 * Nothing here can return a token: no such call exists. One call returns a secret: a recovery code that was made this
 * moment, for the person to put on paper.
 */
import type { AddAccount } from '../generated/AddAccount';
import type { AddedAccount } from '../generated/AddedAccount';
import type { AddProvider } from '../generated/AddProvider';
import type { BackupReport } from '../generated/BackupReport';
import type { BrowserSignOutReply } from '../generated/BrowserSignOutReply';
import type { BrowserSignOutView } from '../generated/BrowserSignOutView';
import type { ChangeKey } from '../generated/ChangeKey';
import type { CheckReport } from '../generated/CheckReport';
import type { Endpoints } from '../generated/Endpoints';
import type { ErrorBody } from '../generated/ErrorBody';
import type { Event } from '../generated/Event';
import type { ImportedFile } from '../generated/ImportedFile';
import type { ImportFile } from '../generated/ImportFile';
import type { MakeBackup } from '../generated/MakeBackup';
import type { ProfileView } from '../generated/ProfileView';
import type { RemoveDamaged } from '../generated/RemoveDamaged';
import type { RestoreVault } from '../generated/RestoreVault';
import type { SignInView } from '../generated/SignInView';
import type { SignOutReport } from '../generated/SignOutReport';
import type { UnlockMethod } from '../generated/UnlockMethod';

export type { AccountView } from '../generated/AccountView';
export type { AddAccount } from '../generated/AddAccount';
export type { AddedAccount } from '../generated/AddedAccount';
export type { AddedFrom } from '../generated/AddedFrom';
export type { AddProvider } from '../generated/AddProvider';
export type { BackupReport } from '../generated/BackupReport';
export type { ChangeKey } from '../generated/ChangeKey';
export type { BrowserSignOutReply } from '../generated/BrowserSignOutReply';
export type { BrowserSignOutStage } from '../generated/BrowserSignOutStage';
export type { BrowserSignOutView } from '../generated/BrowserSignOutView';
export type { CheckReport } from '../generated/CheckReport';
export type { ClientAuthentication } from '../generated/ClientAuthentication';
export type { CredentialView } from '../generated/CredentialView';
export type { DamagedRecord } from '../generated/DamagedRecord';
export type { DamageKind } from '../generated/DamageKind';
export type { DevicePrompt } from '../generated/DevicePrompt';
export type { EnterOutcome } from '../generated/EnterOutcome';
export type { ErrorBody } from '../generated/ErrorBody';
export type { ErrorCode } from '../generated/ErrorCode';
export type { Event } from '../generated/Event';
export type { ImportedFile } from '../generated/ImportedFile';
export type { ImportFile } from '../generated/ImportFile';
export type { ImportOutcome } from '../generated/ImportOutcome';
export type { LockReason } from '../generated/LockReason';
export type { MakeBackup } from '../generated/MakeBackup';
export type { ProfileView } from '../generated/ProfileView';
export type { ProviderView } from '../generated/ProviderView';
export type { RemoveDamaged } from '../generated/RemoveDamaged';
export type { RestoreVault } from '../generated/RestoreVault';
export type { RevocationWay } from '../generated/RevocationWay';
export type { SignInView } from '../generated/SignInView';
export type { SignOutOutcome } from '../generated/SignOutOutcome';
export type { SignOutReport } from '../generated/SignOutReport';
export type { Snapshot } from '../generated/Snapshot';
export type { Standing } from '../generated/Standing';
export type { State } from '../generated/State';
export type { Status } from '../generated/Status';
export type { UnlockMethod } from '../generated/UnlockMethod';
export type { VariableView } from '../generated/VariableView';

/** Whether the desktop process reaches the agent. */
export interface Connection {
  state: 'connecting' | 'connected' | 'lost';
  /** Why, in words. */
  message?: string | undefined;
}

/** Files that are dragged over the window. */
export type DraggedFiles = { files: 'over' } | { files: 'gone' } | { files: 'dropped'; paths: string[] };

/** What the person fills in to add a provider: with a profile, or by its issuer; with a client, or to have one registered. */
export type NewProvider = Pick<AddProvider, 'name' | 'display_name' | 'scopes'>
  & Partial<Pick<AddProvider,
    'profile' | 'variables' | 'issuer' | 'client_id' | 'client_secret' | 'client_secret_path' | 'client_authentication' | 'assertion_audience'
    | 'register' | 'initial_access_token' | 'redirect_uri' | 'person' | 'revocation'>>
  & { endpoints?: Partial<Endpoints> };

export interface StartedSignIn {
  sign_in: SignInView;
  /** Whether the system browser was opened; otherwise the person needs the link. */
  browser_opened: boolean;
}

export interface SignedOutInBrowser {
  reply: BrowserSignOutReply;
  /** Whether the system browser was opened. */
  browser_opened: boolean;
}

/** Every call rejects with an `ErrorBody`. */
export interface Backend {
  /** Follows the agent: a snapshot, then changes. The result ends it. */
  subscribe(onEvent: (event: Event) => void, onConnection: (connection: Connection) => void): () => void;

  /** Hears of files that are dragged over the window. The result ends it. */
  followFiles(onFiles: (files: DraggedFiles) => void): () => void;

  initVault(request: { unlock: UnlockMethod; passphrase: string | null }): Promise<void>;
  /** Without a passphrase and a recovery code the keyring is asked. */
  unlockVault(request: { passphrase: string | null; recovery_code?: string }): Promise<void>;
  lockVault(): Promise<void>;

  /** Opens every record; changes nothing. */
  checkVault(): Promise<CheckReport>;
  /** Takes the vault as it is for the right one. */
  acceptVault(): Promise<void>;
  removeDamaged(request: RemoveDamaged): Promise<void>;
  /** A path that begins with `~/` is in the person's home. */
  backupVault(request: MakeBackup): Promise<BackupReport>;
  /** Makes a vault from a backup where there is none; resolves to what was in it. */
  restoreVault(request: RestoreVault): Promise<BackupReport>;
  /** Seals the vault anew; it is locked meanwhile. */
  changeKey(request: ChangeKey): Promise<void>;
  /** Makes a recovery code. The one time that it is told. */
  makeRecoveryCode(request: { passphrase: string | null }): Promise<string>;
  /** Has the desktop copy it for 30 s; resolves to whether that worked. */
  copyRecoveryCode(code: string): Promise<boolean>;

  /** Has the person choose files in the desktop's own dialog; resolves to where they are. */
  chooseFiles(): Promise<string[]>;
  /** Has the agent open a file and import what is in it. */
  importFile(request: ImportFile): Promise<ImportedFile>;

  /** What is known of services, by name. */
  listProfiles(): Promise<ProfileView[]>;
  /** Opens the page where a client of a service is registered; resolves to whether that worked. */
  openRegistration(profile: string, variables: Record<string, string>): Promise<boolean>;
  addProvider(request: NewProvider): Promise<void>;

  /** Adds an account that nobody signs in to; its first token is got at once. */
  addAccount(request: AddAccount): Promise<AddedAccount>;

  /** Begins a sign-in and opens the system browser; with `device` it asks for a code for another device instead. */
  startSignIn(request: { provider: string; label: string | null; scopes: string[]; device?: boolean }): Promise<StartedSignIn>;
  /** Opens the browser: once more, or at the page for the code. Resolves to whether that worked. */
  openSignIn(id: string): Promise<boolean>;
  /** Has the desktop write the link to the clipboard; resolves to whether that worked. */
  copySignInLink(id: string): Promise<boolean>;
  cancelSignIn(id: string): Promise<void>;

  refreshAccount(id: string): Promise<void>;
  revokeAccount(id: string): Promise<SignOutReport>;
  signOutAccount(id: string): Promise<SignOutReport>;
  /** The same, and opens the provider's page that ends the session in the browser. */
  signOutInBrowser(id: string): Promise<SignedOutInBrowser>;
  /** How that ended in the browser, or how far it is after a while. */
  browserSignOut(id: string): Promise<BrowserSignOutView>;
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
