/* The backend of the packaged window: commands of the desktop process. The only file that knows Tauri. */
import { Channel, invoke } from '@tauri-apps/api/core';
import type { RecoveryCodeReply } from '../generated/RecoveryCodeReply';
import type { RestoreReport } from '../generated/RestoreReport';
import type {
  AddedAccount, Backend, BackupReport, CheckReport, Connection, DraggedFiles, Event, ImportedFile, ProfileView, SignOutReport, StartedSignIn, BrowserSignOutView, SignedOutInBrowser,
} from './backend';

/** What the desktop process sends over the channel of `watch`. */
type Message =
  | { kind: 'event'; event: Event }
  | ({ kind: 'connection' } & Connection)
  | ({ kind: 'dragged' } & DraggedFiles);

/** Who hears of files that are dragged over the window. */
let onFiles: ((files: DraggedFiles) => void) | undefined;

export const inTauri = (): boolean => '__TAURI_INTERNALS__' in globalThis;

export const tauriBackend: Backend = {
  subscribe(onEvent, onConnection) {
    let open = true;
    const channel = new Channel<Message>();
    channel.onmessage = (message) => {
      if (!open) return;
      if (message.kind === 'event') onEvent(message.event);
      else if (message.kind === 'dragged') onFiles?.(message);
      else onConnection({ state: message.state, message: message.message });
    };
    onConnection({ state: 'connecting' });
    invoke('watch', { channel }).catch((thrown: unknown) => {
      if (open) onConnection({ state: 'lost', message: thrown instanceof Error ? thrown.message : undefined });
    });
    return () => {
      open = false;
    };
  },

  followFiles(follower) {
    onFiles = follower;
    return () => {
      if (onFiles === follower) onFiles = undefined;
    };
  },

  initVault: (request) => invoke('init_vault', { request }),
  unlockVault: (request) => invoke('unlock_vault', { request }),
  lockVault: () => invoke('lock_vault'),

  checkVault: () => invoke<CheckReport>('check_vault'),
  acceptVault: () => invoke('accept_vault'),
  removeDamaged: (request) => invoke('remove_damaged', { request }),
  backupVault: (request) => invoke<BackupReport>('backup_vault', { request }),
  restoreVault: async (request) => (await invoke<RestoreReport>('restore_vault', { request })).backup,
  changeKey: (request) => invoke('rekey_vault', { request }),
  makeRecoveryCode: async (request) => (await invoke<RecoveryCodeReply>('make_recovery_code', { request })).recovery_code,
  copyRecoveryCode: (code) => done(invoke('copy_recovery_code', { code })),

  chooseFiles: () => invoke<string[]>('choose_files'),
  importFile: (request) => invoke<ImportedFile>('import_file', { request }),

  listProfiles: () => invoke<ProfileView[]>('list_profiles'),
  openRegistration: (profile, variables) => done(invoke('open_registration', { profile, variables })),
  addProvider: (request) => invoke('add_provider', { request }),

  addAccount: (request) => invoke<AddedAccount>('add_account', { request }),

  startSignIn: (request) => invoke<StartedSignIn>('start_sign_in', { request }),
  openSignIn: (id) => done(invoke('open_sign_in', { id })),
  copySignInLink: (id) => done(invoke('copy_sign_in_link', { id })),
  cancelSignIn: (id) => invoke('cancel_sign_in', { id }),

  refreshAccount: (id) => invoke('refresh_account', { id }),
  revokeAccount: (id) => invoke<SignOutReport>('revoke_account', { id }),
  signOutAccount: (id) => invoke<SignOutReport>('sign_out_account', { id }),
  signOutInBrowser: (id) => invoke<SignedOutInBrowser>('sign_out_in_browser', { id }),
  browserSignOut: (id) => invoke<BrowserSignOutView>('browser_sign_out', { id }),
  removeAccount: (id) => invoke<SignOutReport>('remove_account', { id }),
  signOutAll: () => invoke<SignOutReport[]>('sign_out_all'),
};

/** Commands that answer with whether they worked; one that answers with nothing has worked. */
async function done(answer: Promise<unknown>): Promise<boolean> {
  return (await answer) !== false;
}
