/* What buttons do: ask the backend, and say in the window how that ended. */
import type { Account } from './account';
import { type Backend, type ErrorBody, errorBody, type RemoveDamaged, type SignedOutInBrowser, type SignInView, type SignOutReport } from './backend/backend';
import { check } from './care-words';
import { clock } from './clock.svelte';
import { route } from './route.svelte';
import { clean } from './text';
import { toasts } from './toasts.svelte';
import { vault } from './vault.svelte';
import { announce } from './announce.svelte';
import { standing } from './standing-words';
import { explain, outcomes, page, signOutText } from './words';

let behind: Backend | undefined;

/** Gives the window its backend. */
export function use(backend: Backend): void {
  behind = backend;
}

export function backend(): Backend {
  if (!behind) throw new Error('the window has no backend yet');
  return behind;
}

/** Says what failed as a notice that stays. */
export function sayFailure(thrown: unknown): ErrorBody {
  const error = errorBody(thrown);
  const { title, what, you } = explain(error);
  toasts.show(title, what === `${title}.` ? you : `${what} ${you}`, 'bad');
  return error;
}

/** Whether the vault must not be used yet; says why as a notice. Buttons are off then, but keys are not. */
export function undecided(): boolean {
  if (vault.unaccepted) toasts.show(standing.decideFirst, standing.what[vault.unaccepted], 'warn');
  return vault.unaccepted !== null;
}

export async function refresh(id: string, label: string): Promise<void> {
  if (undecided()) return;
  try {
    await backend().refreshAccount(id);
    toasts.show(page.refreshed(label));
  } catch (thrown) {
    sayFailure(thrown);
  }
}

/**
 * Begins a sign-in and goes to its page. With the label of an account that is there already, that account is signed
 * in again.
 */
export async function signIn(provider: string, label: string | null = null, scopes: string[] = []): Promise<void> {
  if (undecided()) return;
  try {
    const { sign_in, browser_opened } = await backend().startSignIn({ provider, label, scopes });
    vault.noteSignIn(sign_in);
    route.go({ at: 'sign-in', id: sign_in.id, label, browserOpened: browser_opened });
  } catch (thrown) {
    sayFailure(thrown);
  }
}

/** Gets tokens for an account that has none any more: by its person, or by asking the provider once more. */
export async function again({ id, label, agentLabel, provider, comeback }: Account): Promise<void> {
  if (comeback === 'sign_in') await signIn(provider, agentLabel);
  else if (comeback === 'retry') await refresh(id, label);
}

/**
 * Goes from the page of one sign-in to a new one: with the browser here, or with a code for another device. The one before is
 * given up only when the new one has begun; if it was finished or left meanwhile, the new one is. Resolves to `false` when
 * the provider offers no codes.
 */
export async function signInBy(way: 'browser' | 'code', before: SignInView, label: string | null): Promise<boolean> {
  if (undecided()) return true;
  try {
    const started = await backend().startSignIn({ provider: before.provider, label, scopes: [], device: way === 'code' });
    const { stage } = vault.signIns.get(before.id) ?? before;
    const here = route.now.at === 'sign-in' && route.now.id === before.id;
    const { id } = started.sign_in;
    if (!here || stage === 'exchanging' || stage === 'done') {
      await backend().cancelSignIn(id);
      return true;
    }
    vault.noteSignIn(started.sign_in);
    route.go({ at: 'sign-in', id, label, browserOpened: started.browser_opened });
    if (stage === 'waiting') await backend().cancelSignIn(before.id);
  } catch (thrown) {
    if (way === 'code' && errorBody(thrown).code === 'endpoint_missing') return false;
    sayFailure(thrown);
  }
  return true;
}

export async function lock(): Promise<void> {
  try {
    await backend().lockVault();
  } catch (thrown) {
    sayFailure(thrown);
  }
}

/** Takes the vault as it is for the right one; says whether that worked. */
export async function accept(): Promise<boolean> {
  try {
    await backend().acceptVault();
    toasts.show(standing.accepted, standing.acceptedText);
    return true;
  } catch (thrown) {
    sayFailure(thrown);
    return false;
  }
}

/** Deletes a record that does not open any more, or belongs to no account; says whether that worked. */
export async function removeDamaged(request: RemoveDamaged): Promise<boolean> {
  try {
    await backend().removeDamaged(request);
    toasts.show(check.removed);
    return true;
  } catch (thrown) {
    sayFailure(thrown);
    return false;
  }
}

/** Revokes, signs out or removes one account; `null` when that failed. */
export async function end(
  how: 'revokeAccount' | 'signOutAccount' | 'removeAccount', id: string,
): Promise<SignOutReport | null> {
  try {
    const report = await backend()[how](id);
    announce(`${clean(report.label)}: ${outcomes[report.outcome]}. ${signOutText(report, clock.minute)}`);
    return report;
  } catch (thrown) {
    sayFailure(thrown);
    return null;
  }
}

/** Signs out, and opens the page that ends the session in the browser; `null` when the account was not signed out. */
export async function endInBrowser(id: string): Promise<SignedOutInBrowser | null> {
  try {
    const ended = await backend().signOutInBrowser(id);
    const { report } = ended.reply;
    announce(`${clean(report.label)}: ${outcomes[report.outcome]}. ${signOutText(report, clock.minute)}`);
    return ended;
  } catch (thrown) {
    sayFailure(thrown);
    return null;
  }
}
