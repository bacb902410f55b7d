/* A whole window over the stand-in agent, at a fixed time that only moves when a test says so. */
import { render } from '@testing-library/svelte';
import { vi } from 'vitest';
import App from '../App.svelte';
import { MockBackend, type MockOptions } from '../lib/backend/mock';
import { imports } from '../lib/imports.svelte';
import { remembered } from '../lib/remembered.svelte';
import { route } from '../lib/route.svelte';
import { toasts } from '../lib/toasts.svelte';
import { vault } from '../lib/vault.svelte';
// Views that the window loads when they are needed: here beforehand, because fake time does not wait for files.
import '../views/AccountPage.svelte';
import '../views/AddAccount.svelte';
import '../views/AddProvider.svelte';
import '../views/AddService.svelte';
import '../views/AddSource.svelte';
import '../views/FirstRun.svelte';
import '../views/Import.svelte';
import '../views/ProviderPage.svelte';
import '../views/SignIn.svelte';
import '../views/SignOutAll.svelte';
import '../views/Changing.svelte';
import '../views/Vault.svelte';

/** Thursday 14 May 2026, 13:58:20. */
export const NOW = Date.UTC(2026, 4, 14, 13, 58, 20);

export async function openWindow(options: MockOptions = {}): Promise<MockBackend> {
  vi.useFakeTimers({ now: NOW });
  vault.status = null;
  vault.accounts = [];
  vault.signIns = new Map();
  vault.lastLock = null;
  route.go({ at: 'accounts' });
  remembered.forget();
  imports.forget();
  toasts.clear();
  const backend = new MockBackend(options);
  render(App, { props: { backend } });
  await settle();
  return backend;
}

/** Lets promises and effects run, and 50 ms pass: changes that are shown together are shown by then. */
export const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(50);

/** Exactly one element with that test id. */
export function one(id: string, within: ParentNode = document): HTMLElement {
  const found = within.querySelectorAll<HTMLElement>(`[data-testid="${id}"]`);
  if (found.length !== 1 || !found[0]) throw new Error(`${found.length} elements are called ${id}`);
  return found[0];
}

export const none = (id: string): boolean => document.querySelector(`[data-testid="${id}"]`) === null;

export const row = (label: string): HTMLElement => {
  const found = document.querySelector<HTMLElement>(`[data-testid="account-row"][data-label="${label}"]`);
  if (!found) throw new Error(`no row ${label}`);
  return found;
};

export const text = (element: Element): string => (element.textContent ?? '').replace(/\s+/g, ' ').trim();

/** Types into a field as a person does. */
export function type(id: string, value: string): void {
  const field = one(id) as HTMLInputElement;
  field.value = value;
  field.dispatchEvent(new Event('input', { bubbles: true }));
}

/** A click as keyboard, voice and switch users make it: no pointer, `detail` 0. */
export const press = (id: string): void => one(id).click();
