/* Signing in by a code on another device (RFC 8628): what is shown of what the provider gave. */
import type { DevicePrompt } from './backend/backend';
import { clean, OWN_TEXT_MAX } from './text';

/**
 * Where a camera may be sent, best first: the page with the code in it, where the provider has one (section 3.3.1). Web pages
 * only: a phone dials numbers and installs programs that it reads out of pictures.
 */
export function scannable({ verification_uri_complete: complete, verification_uri: page }: DevicePrompt): string[] {
  return [complete, page].filter((address): address is string => address !== null && /^https?:\/\//i.test(address));
}

/** The page as a person types it: browsers add `https://` by themselves, and nothing else. */
export const typed = (page: string): string => clean(page.replace(/^https:\/\//i, '').replace(/\/$/, ''), OWN_TEXT_MAX);

/** A code letter by letter, for screen readers: `W D J B, M J H T`. */
export function spelled(code: string): string {
  const groups = code.split(/[^\p{L}\p{N}]+/u).filter((group) => group !== '');
  return groups.map((group) => Array.from(group).join(' ')).join(', ');
}
