/* Every failure in its three parts: what happened, what Holdfast did, what the person can do. */
import type { ErrorBody, ErrorCode } from './backend/backend';
import type { Account } from './account';
import { clean, OWN_TEXT_MAX } from './text';
import { at } from './time';

/** Title, what Holdfast did, what the person can do, and the code of the manual. */
type Words = readonly [title: string, did: string, you: string, code?: string];

const KEPT_NOTHING = 'Closed the sign-in and kept nothing. Your other accounts are untouched.';
const LEFT_VAULT = 'Left the vault exactly as it is. Nothing was written, nothing was deleted.';
const SENT_NOTHING = 'Sent nothing else, and kept nothing.';
const RETRIES = 'Keeps what it has and tries again. Waits grow from 5 s to 15 min, and shrink again near the end of the window.';

const errors: Record<ErrorCode, Words> = {
  bad_request: ['Holdfast did not understand this', 'Changed nothing.', 'Check what you entered, then try again.'],
  not_found: ['This does not exist any more', 'Changed nothing.', 'Go back to the list.'],
  method_not_allowed: ['The window and the vault process do not fit', 'Changed nothing.', 'Quit Holdfast and open it again.'],
  too_large: ['That is too long', 'Changed nothing.', 'Enter less.'],
  forbidden: ['The vault process refused the window', 'Changed nothing.', 'Quit Holdfast and open it again.'],
  denied: ['Not allowed', 'Handed nothing out.', 'Allow the program first.'],
  internal: ['Something inside Holdfast failed', 'Stopped this one action. No secret was deleted.', 'Try again. If it repeats, the log of the vault process says more.'],
  too_many: ['Too much is asked of the vault process at once', 'Did not begin this one.', 'Wait a moment, then try again.'],
  shutting_down: ['The vault process is stopping', 'Finishes what it has begun, and takes nothing new.', 'Wait a moment, then try again.'],
  agent_unreachable: ['The vault process does not answer', 'Keeps trying to reach it. Nothing was written or deleted.', 'Wait a moment. If this stays, quit Holdfast and open it again.', 'HF-SOCK-01'],
  agent_incompatible: ['The vault process has another version', 'Changed nothing.', 'Quit Holdfast and open it again, so that both have the same version.'],
  vault_uninitialised: ['There is no vault yet', 'Changed nothing.', 'Create it first.'],
  vault_locked: ['The vault is locked', 'Changed nothing.', 'Unlock it, then try again.'],
  vault_exists: ['There is a vault already', LEFT_VAULT, 'Unlock it.'],
  vault_too_new: ['A newer Holdfast wrote this vault', LEFT_VAULT, 'Install that version.'],
  vault_damaged: ['The vault cannot be read', 'Wrote nothing, and paused renewals.', 'Restore a backup of the vault file.', 'HF-VAULT-11'],
  vault_storage: ['The vault file cannot be used', LEFT_VAULT, 'Check that you may read and write it, then try again.', 'HF-VAULT-11'],
  vault_busy: ['Another program holds the vault file', LEFT_VAULT, 'Close that program, a backup or a database browser say, then try again.', 'HF-VAULT-14'],
  vault_unaccepted: ['Decide about this copy of the vault first', 'Used nothing of it, and changed nothing.', 'Use this copy, or lock it and put the newest one back.', 'HF-VAULT-12'],
  backup_unusable: ['This backup cannot be used', 'Changed nothing.', 'Choose another file, or look at its folder.', 'HF-VAULT-13'],
  wrong_recovery_code: ['That recovery code does not open this vault', 'Counts tries. Erases nothing.', 'Look at the paper again: eight groups of four.', 'HF-KEY-04'],
  disk_full: ['The disk is full', 'Wrote nothing, and kept what was there.', 'Free some space, then try again.', 'HF-VAULT-11'],
  passphrase_required: ['This vault opens with a passphrase', LEFT_VAULT, 'Enter the passphrase.'],
  wrong_passphrase: ['That passphrase does not open this vault', 'Counts tries. Erases nothing.', 'Try again.', 'HF-KEY-02'],
  too_many_tries: ['Too many wrong passphrases', 'Did not try this one. Erases nothing.', 'Wait until the time is over, then try again.', 'HF-KEY-02'],
  passphrase_too_weak: ['This passphrase is too weak', 'Created nothing.', 'Choose a longer one, or let Holdfast suggest one.'],
  keyring_absent: ['No keyring answers on this desktop', LEFT_VAULT, 'Install gnome-keyring or KWallet, or use the passphrase.', 'HF-KEY-01'],
  keyring_locked: ['The keyring is locked', 'Waits for it. Nothing was written.', 'Answer the desktop’s question, or use the passphrase.', 'HF-KEY-01'],
  keyring_denied: ['The keyring refused', LEFT_VAULT, 'Allow Holdfast when your desktop asks, or use the passphrase.', 'HF-KEY-01'],
  keyring_key_missing: ['The keyring holds no key for this vault', LEFT_VAULT, 'Use the passphrase, or restore the keyring.', 'HF-KEY-03'],
  keyring_ambiguous: ['The keyring holds several keys for this vault', 'Used none of them, and left all as they are.', 'Use the passphrase, or delete the wrong entries in your keyring program.', 'HF-KEY-03'],
  keyring_key_wrong: ['The key in the keyring does not fit', 'Left both as they are.', 'Use the passphrase, or restore a backup.', 'HF-KEY-03'],
  keyring_failed: ['The keyring did not work', LEFT_VAULT, 'Try again, or use the passphrase.', 'HF-KEY-01'],
  parent_unavailable: ['The account that this one comes from has no token', SENT_NOTHING, 'See to that account, and this one follows. If that account is gone, add this one again from another.'],
  provider_not_found: ['This provider is not set up', 'Started nothing.', 'Add the provider first.'],
  provider_exists: ['A provider of that name is there already', 'Changed nothing.', 'Choose another name, or use the one that is there.'],
  provider_invalid: ['The provider’s description does not fit', 'Kept nothing.', 'Check the address and the client ID.', 'HF-DISC-01'],
  provider_in_use: ['Accounts still use this provider', 'Left it as it is.', 'Remove those accounts first.'],
  account_not_found: ['This account is not in the vault any more', 'Changed nothing.', 'Go back to the list.'],
  label_taken: ['The account was not kept', 'Kept nothing, and changed no other account.', 'Sign in as the right person, or with another name.'],
  import_invalid: ['This does not fit', KEPT_NOTHING, 'Correct the place that is named, then try again.'],
  import_wrong_password: ['That password does not open the file', KEPT_NOTHING, 'Try again.'],
  import_under_way: ['This file is being imported already', 'Started nothing.', 'Wait for it to end.'],
  not_bound: ['This token is bound to no key', 'Changed nothing.', 'Present it as Bearer, without a proof.'],
  not_renewable: ['Nothing can renew this token', 'Changed nothing.', 'Make a new one at the service, and enter it.'],
  sign_in_not_found: ['This sign-in is over', KEPT_NOTHING, 'Start again.', 'HF-AUTH-01'],
  needs_sign_in: ['This account needs you', 'Stopped trying, and kept the account.', 'Sign in again.', 'HF-REF-01'],
  signed_out: ['This account is signed out', 'Handed nothing out.', 'Sign in again.'],
  revoked: ['This account was revoked', 'Handed nothing out.', 'Sign in again.'],
  lifetime_too_short: ['The provider issues shorter tokens than asked for', 'Handed nothing out.', 'Ask for less time.'],
  scope_not_granted: ['The account was not granted that', 'Handed nothing out.', 'Sign in again with that scope.'],
  revocation_impossible: ['The provider cannot revoke', 'Left the tokens as they are.', 'Sign out to delete them here. They end by themselves.', 'HF-REV-01'],
  sign_in_cancelled: ['You cancelled the sign-in', 'Kept nothing.', 'Start again when you like.', 'HF-AUTH-01'],
  sign_in_timed_out: ['Nobody finished the sign-in', 'Closed the port and kept nothing.', 'Start again. The link of before does not work any more.', 'HF-AUTH-01'],
  browser_not_opened: ['The browser did not open the page', 'Signed the account out here. The session in the browser stays.', 'Try again; the provider then asks whose session to end.'],
  provider_host_not_found: ['No such server', SENT_NOTHING, 'Check the spelling of the address, and your network.', 'HF-DISC-01'],
  provider_unreachable: ['The provider does not answer', RETRIES, 'Nothing yet. Try now if you know that it is back.', 'HF-REF-04'],
  provider_timed_out: ['The provider does not answer', RETRIES, 'Nothing yet. Try now if you know that it is back.', 'HF-REF-04'],
  provider_tls_failed: ['The certificate is not trusted', 'Did not connect.', 'Check the address. If your company has its own authority, name it in config.toml (ca_files).', 'HF-NET-02'],
  issuer_not_https: ['The address is not https', SENT_NOTHING, 'Use the https address of the provider.', 'HF-DISC-01'],
  provider_unexpected_status: ['The provider answered something else', RETRIES, 'Check that the address is the issuer’s.', 'HF-DISC-01'],
  provider_unavailable: ['The provider cannot serve now', RETRIES, 'Nothing yet.', 'HF-REF-04'],
  rate_limited: ['The provider asks to slow down', 'Waits as long as it asked, and spreads the others.', 'Nothing.', 'HF-REF-05'],
  provider_answer_malformed: ['The provider’s answer cannot be read', 'Threw the answer away, and kept what it had.', 'Check that the address is the issuer’s. If it repeats, tell the administrator.', 'HF-DISC-01'],
  issuer_mismatch: ['The address names another provider', 'Stopped before any sign-in.', 'Use the issuer that the provider names, if you trust it.', 'HF-DISC-02'],
  endpoint_missing: ['The provider does not offer this', 'Kept nothing.', 'Ask the administrator for another way.', 'HF-DISC-01'],
  invalid_grant: ['The provider ended this session', 'Kept the token sealed, and stopped trying.', 'Sign in again. If it repeats, ask about the idle limit.', 'HF-REF-01'],
  invalid_client: ['The provider refuses this app', KEPT_NOTHING, 'Check the client ID with the administrator.', 'HF-AUTH-03'],
  invalid_scope: ['The provider refuses what was asked for', KEPT_NOTHING, 'Ask for fewer scopes.', 'HF-AUTH-03'],
  access_denied: ['The provider did not sign you in', KEPT_NOTHING, 'Ask to be assigned to the app, then try again.', 'HF-AUTH-03'],
  interaction_required: ['The provider wants to ask you something', 'Stopped trying, and kept the account.', 'Sign in again.', 'HF-REF-01'],
  oauth_error: ['The provider answered with an error', KEPT_NOTHING, 'Try again. If it repeats, copy the message for the administrator.', 'HF-AUTH-03'],
  id_token_invalid: ['The provider’s statement about you is not valid', 'Threw the answer away, and kept nothing.', 'Try again. If it repeats, tell the administrator.', 'HF-JWKS-01'],
  response_mismatch: ['The answer did not fit', 'Threw the answer away. Somebody may have tried to sign you in as someone else.', 'Start again from Holdfast. If it repeats, tell your administrator.', 'HF-AUTH-02'],
  expired_on_arrival: ['The new token is already over', 'Refused it, and kept the old one.', 'Check the clock of that server, and of this computer.', 'HF-REF-09'],
  redirect_port_taken: ['No port is free for the answer', 'Did not start.', 'Close the other program that uses it, then try again.', 'HF-AUTH-05'],
};

/** What a table itself says of `code`; codes come from outside and may be any text. */
const entry = (table: Readonly<Record<string, Words>>, code: string): Words | undefined =>
  Object.hasOwn(table, code) ? table[code] : undefined;

/** A failure in its three parts. */
export interface Failure {
  title: string;
  what: string;
  did: string;
  you: string;
  /** For searching and support. */
  code: string;
}

export function explain(error: Pick<ErrorBody, 'code' | 'message' | 'hint'>): Failure {
  // Codes may join; one that this window does not know is shown as the agent words it.
  const known = entry(errors, error.code);
  const [title, did, you, manual] = known ?? errors.internal;
  const code = known ? error.code : clean(error.code, 64);
  return {
    title,
    what: clean(error.message, OWN_TEXT_MAX) || `${title}.`,
    did,
    you: clean(error.hint, OWN_TEXT_MAX) || you,
    code: manual ? `${manual} · ${code}` : code,
  };
}

/** What made an account need its person: title, what Holdfast did, what to do, code. */
const reasons: Record<string, Words> = {
  absolute_end: ['Reached its hard limit', 'Stopped renewing. The account stays in the list.', 'Sign in again.', 'HF-REF-02'],
  window_closed: ['The renewal window closed', 'Stopped trying: the provider does not take this refresh token any more.', 'Sign in again. Keep the vault unlocked, or sign in at least once within the window.', 'HF-REF-03'],
  no_refresh_token: ['It cannot be renewed', 'Held it until its end. Holdfast has no refresh token for it.', 'Sign in again. Ask for the scope offline_access if the provider has it.'],
  refused: ['The provider ended this session', 'Kept the refused token sealed, and stopped trying.', 'Sign in again. If it repeats, ask the provider about the idle limit.', 'HF-REF-01'],
  interaction_required: ['The provider wants to ask you something', 'Stopped trying, and kept everything.', 'Sign in again.', 'HF-REF-01'],
  reply_lost: ['The answer to a renewal was lost', 'Tried the token that it had once more, and was refused.', 'Sign in again.'],
  client_refused: ['The provider refuses this app', 'Stopped trying, and kept everything.', 'Check the client ID in the provider’s settings, then sign in again.', 'HF-AUTH-03'],
  unreadable: ['A token of it is damaged', 'Does not use that token, which may be the one that renews the account, and deleted nothing. An access token that is whole is handed out until its end.', 'Sign in again, enter its token again, or restore a backup. The check under Vault names what is damaged.', 'HF-VAULT-11'],
  new_token_needed: ['A new token is needed', 'Keeps the old one, and hands it out until its end.', 'Make a new one at the service, and enter it.'],
  source_refused: ['The provider does not accept what its tokens are made from', 'Stopped trying, and kept everything.', 'Correct the client, the key or the account that it comes from, then try again.', 'HF-REF-01'],
  by_user: ['You ended it here', 'Deleted the tokens on this computer.', 'Sign in again when you need it.'],
  by_provider: ['The provider revoked it', 'Stopped using the tokens.', 'Sign in again. If it repeats, ask the provider who ended it.', 'HF-REF-01'],
};

/** What goes wrong with one account, where an error of that code is about more than it: what Holdfast did, what to do. */
const troubles: Record<string, Words> = {
  vault_damaged: [
    'What the vault holds for it is damaged', 'Sent nothing to the provider, and deleted nothing.',
    'Sign in again, or restore a backup. The check under Vault names what is damaged.', 'HF-VAULT-11',
  ],
};

export function explainTrouble(trouble: { code: string; text: string }): Failure {
  const error = explain({ code: trouble.code as ErrorCode, message: trouble.text, hint: null });
  const own = entry(troubles, trouble.code);
  if (!own) return error;
  const [title, did, you] = own;
  return { ...error, title, what: error.what === `${error.title}.` ? `${title}.` : error.what, did, you };
}

export function explainReason(reason: { code: string; text: string; at: number | null }, now: number): Failure {
  const [title, did, you, manual] = entry(reasons, reason.code) ?? entry(troubles, reason.code) ?? entry(errors, reason.code) ?? errors.needs_sign_in;
  const when = reason.at === null ? '' : `${at(reason.at, now)}: `;
  return {
    title,
    what: when + (reason.text || `${title}.`),
    did,
    you,
    code: manual ? `${manual} · ${clean(reason.code, 64)}` : clean(reason.code, 64),
  };
}

/** The short line in the list for an account that needs its person. */
export function reasonLine(of: Account): string {
  return entry(reasons, of.reason?.code ?? '')?.[0] ?? (of.reason?.text || 'Sign in to continue');
}

