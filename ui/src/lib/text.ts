/** Longest text of a provider that is shown. */
export const PROVIDER_TEXT_MAX = 200;

/*
 * Control characters, and the marks that turn or join what stands beside them (Unicode Bidi_Control, the zero-width
 * space, line and paragraph separators, soft hyphen, byte order mark): with them one text can look like another.
 * The zero-width joiners stay: Persian, Indic scripts and emoji need them.
 */
// eslint-disable-next-line no-control-regex
const DECEIVING = /[\u0000-\u001F\u007F-\u009F\u00AD\u061C\u115F\u1160\u180E\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\u3164\uFEFF\uFFA0\uFFF9-\uFFFB]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

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
