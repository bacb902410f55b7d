/* The page that the tray, or a notice, opens the window at. It stands in the window's address, which is read once and
   then emptied: an address would outlive the lock. */
import type { Route } from './route.svelte';

const ACCOUNT = /^#\/accounts\/([A-Za-z0-9_-]+)$/;
const PROVIDER = /^#\/providers\/([a-z0-9._-]+)$/;

/** The page that a fragment names; `null` for one that is not ours, like the target of a link within a page. */
export function pageOf(fragment: string): Route | null {
  if (fragment === '#/signout') return { at: 'sign-out-all' };
  const name = PROVIDER.exec(fragment)?.[1];
  if (name !== undefined) return { at: 'provider', name };
  const id = ACCOUNT.exec(fragment)?.[1];
  return id === undefined ? null : { at: 'account', id };
}

/** Tells `wanted` the page that the address names, now and whenever the tray changes it. Ends with what comes back. */
export function followAddress(wanted: (page: Route) => void): () => void {
  const read = (): void => {
    const page = pageOf(location.hash);
    if (!page) return;
    history.replaceState(history.state, '', location.pathname + location.search);
    wanted(page);
  };
  read();
  addEventListener('hashchange', read);
  return () => removeEventListener('hashchange', read);
}
