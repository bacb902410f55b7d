/** Lengths in milliseconds. */
export const S = 1000;
export const M = 60 * S;
export const H = 60 * M;
export const D = 24 * H;

let locale: string | undefined;
let clock: Intl.DateTimeFormat | undefined;
let day: Intl.DateTimeFormat | undefined;
let dayOfYear: Intl.DateTimeFormat | undefined;
let weekday: Intl.DateTimeFormat | undefined;

/** Fixes the locale of clock times and dates; `undefined` is the system's. */
export function setLocale(tag: string | undefined): void {
  locale = tag;
  clock = day = dayOfYear = weekday = undefined;
}

const two = (n: number) => String(n).padStart(2, '0');

/** Countdown text of `ms`: precise when close (`12:05`), calm when far (`3 h 12 m`, `2 d 4 h`, `18 d`). */
export function dur(ms: number): string {
  const s = Math.round(Math.abs(ms) / S);
  const d = Math.floor(s / 86400);
  const h = Math.floor((s % 86400) / 3600);
  const m = Math.floor((s % 3600) / 60);
  let text: string;
  if (s >= 10 * 86400) text = `${d} d`;
  else if (s >= 86400) text = `${d} d ${h} h`;
  else if (s >= 3600) text = `${h} h ${two(m)} m`;
  else text = `${m}:${two(s % 60)}`;
  return ms < 0 && s > 0 ? `\u2212${text}` : text;
}

/** A length: `20 min`, `1 h`, `30 d`. */
export function span(ms: number): string {
  if (ms >= 2 * D && ms % D === 0) return `${ms / D} d`;
  if (ms >= H && ms < 2 * D && ms % H === 0) return `${ms / H} h`;
  if (ms >= 2 * D) return `${Math.round(ms / D)} d`;
  if (ms >= H) return `${Math.round((ms / H) * 10) / 10} h`;
  if (ms >= M) return `${Math.round(ms / M)} min`;
  return `${Math.round(ms / S)} s`;
}

/** The same length for screen readers: `3 hours 12 minutes`. */
export function spoken(ms: number): string {
  const s = Math.max(0, Math.round(ms / S));
  const d = Math.floor(s / 86400);
  const h = Math.floor((s % 86400) / 3600);
  const m = Math.floor((s % 3600) / 60);
  const n = (value: number, unit: string) => `${value} ${unit}${value === 1 ? '' : 's'}`;
  const parts: string[] = [];
  if (d) parts.push(n(d, 'day'));
  if (h) parts.push(n(h, 'hour'));
  if (!d && m) parts.push(n(m, 'minute'));
  if (!parts.length) parts.push(n(s, 'second'));
  return parts.join(' ');
}

/** Clock time in the locale's way: `09:05` or `9:05 AM`. */
export function hm(t: number): string {
  clock ??= clockFormat();
  return clock.format(t);
}

/** Two digits for the hour where the day has 24 of them: `0:05` would read as a countdown. */
function clockFormat(): Intl.DateTimeFormat {
  const numeric = new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' });
  const { hourCycle, locale: resolved } = numeric.resolvedOptions();
  if (hourCycle !== 'h23' && hourCycle !== 'h24') return numeric;
  return new Intl.DateTimeFormat(resolved, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
}

/** The number of the local calendar day that `t` falls on. */
const dayNumber = (t: number) => {
  const x = new Date(t);
  return Math.round(Date.UTC(x.getFullYear(), x.getMonth(), x.getDate()) / D);
};

/** When, seen from `now`: `Today 16:58`, `Tomorrow 09:00`, `Tue 17:58`, `1 Jun`, `1 Jun 2027`. */
export function at(t: number, now: number): string {
  const a = dayNumber(t);
  const b = dayNumber(now);
  if (a === b) return `Today ${hm(t)}`;
  if (a === b + 1) return `Tomorrow ${hm(t)}`;
  if (a === b - 1) return `Yesterday ${hm(t)}`;
  if (a > b && a - b < 7) {
    weekday ??= new Intl.DateTimeFormat(locale, { weekday: 'short' });
    return `${weekday.format(t)} ${hm(t)}`;
  }
  if (new Date(t).getFullYear() === new Date(now).getFullYear()) {
    day ??= new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
    return day.format(t);
  }
  dayOfYear ??= new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
  return dayOfYear.format(t);
}

/** As `at` within a sentence that speaks of now already: `16:58`, `tomorrow 09:00`. */
export const at0 = (t: number, now: number): string => within(at(t, now)).replace(/^today /, '');

/** A text of `at` within a sentence: `today 16:58`. */
export const within = (when: string): string =>
  when.replace(/^(?:Today|Tomorrow|Yesterday) /, (word) => word.toLowerCase());

/** Date and time to the second, for records. */
export const full = (t: number): string =>
  new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }).format(t);

/** The local date as file names carry it: `2026-05-14`. */
export function dayStamp(t: number): string {
  const x = new Date(t);
  return [x.getFullYear(), x.getMonth() + 1, x.getDate()].map((n) => String(n).padStart(2, '0')).join('-');
}

/** How long ago: `just now`, `14 min ago`. */
export function ago(t: number, now: number): string {
  const passed = now - t;
  if (passed < 10 * S) return 'just now';
  if (passed < M) return `${Math.round(passed / S)} s ago`;
  if (passed < H) return `${Math.floor(passed / M)} min ago`;
  if (passed < D) return `${Math.floor(passed / H)} h ago`;
  return `${Math.floor(passed / D)} d ago`;
}

/** An RFC 3339 instant in milliseconds; `null` for nothing or for what cannot be read. */
export function instant(text: string | null | undefined): number | null {
  if (!text) return null;
  const t = Date.parse(text);
  return Number.isNaN(t) ? null : t;
}
