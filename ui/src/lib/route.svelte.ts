/* Where the window is. Kept in memory only: an address would outlive the lock. */

import type { ProfileView } from './backend/backend';

export type Route =
  | { at: 'accounts' }
  | { at: 'account'; id: string }
  | { at: 'add' }
  /** `query` is what was looked for before. */
  | { at: 'add-service'; query: string }
  /** With the profile of a service, or with the issuer of one that has none; `register` has Holdfast register its client there. */
  | { at: 'add-provider'; issuer: string; profile: ProfileView | null; register?: true }
  /** What is known of one in the list. */
  | { at: 'provider'; name: string }
  /** An account that nobody signs in to. */
  | { at: 'add-source' }
  | { at: 'import' }
  /** `label` is what the account is called already, or shall be. */
  | { at: 'sign-in'; id: string; label: string | null; browserOpened: boolean }
  | { at: 'sign-out-all' }
  /** `check` begins a check; `recovered` says that the recovery code opened the vault. */
  | { at: 'vault'; check?: true; recovered?: true };

class Router {
  now = $state.raw<Route>({ at: 'accounts' });

  go(to: Route): void {
    this.now = to;
  }

  /** One level up. */
  back(): void {
    const { at } = this.now;
    this.now = at === 'add-provider' ? { at: 'add-service', query: '' } : at === 'add-service' || at === 'provider' || at === 'add-source' ? { at: 'add' } : { at: 'accounts' };
  }
}

export const route = new Router();
