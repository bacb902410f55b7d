/** Longest text of a provider that is shown. */
export const PROVIDER_TEXT_MAX = 200;
/** Longest text of the vault process: a sentence around what it quotes and has cut already, a provider's text or a path. */
export const OWN_TEXT_MAX = 600;

/*
 * Control characters, and what nobody sees or what turns, joins and breaks what stands beside it: with them one text can
 * look like another. The table is crates/model/src/unseen.txt; halves of characters come on top. The zero-width joiners
 * stay: Persian, Indic scripts and emoji need them.
 */
// eslint-disable-next-line no-control-regex
const DECEIVING = /[\0-\x1F\x7F-\x9F\xAD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\u2800\u3164\uD800-\uDFFF\uFEFF\uFFA0\uFFF9-\uFFFB\u{1D173}-\u{1D17A}\u{E0000}-\u{E00FF}]/gu;

/** Text that came from a provider, a token or a program, made fit to be shown. */
export function clean(text: string | null | undefined, max = PROVIDER_TEXT_MAX): string {
  if (!text) return '';
  const shown = text.replace(DECEIVING, '\uFFFD');
  const points = Array.from(shown.slice(0, 2 * max + 2));
  return points.length > max ? `${points.slice(0, max - 1).join('')}…` : points.join('');
}

/** The host of an address, in the ASCII form that cannot imitate another; empty when it is none. */
export function host(address: string | null | undefined): string {
  if (!address) return '';
  try {
    return clean(new URL(address).host);
  } catch {
    return '';
  }
}
