/* Where the window is. Kept in memory only: an address would outlive the lock. */

export type Route =
  | { at: 'accounts' }
  | { at: 'account'; id: string }
  | { at: 'add' }
  | { at: 'add-provider'; issuer: string }
  | { at: 'import' }
  | { at: 'sign-in'; id: string; browserOpened: boolean }
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
    this.now = this.now.at === 'add-provider' ? { at: 'add' } : { at: 'accounts' };
  }
}

export const route = new Router();
