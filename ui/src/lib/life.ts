/*
 * Geometry of the lifetime bar: instants in, unitless numbers out, so that CSS can place everything at any width
 * and nothing is ever measured.
 */
import { at, D, M, spoken } from './time';

/** What is known about a life. Instants and lengths in milliseconds. */
export interface Life {
  /** Sign-in: the left end of the rail. */
  issued: number;
  /** The last renewal: the left edge of the capsule. */
  renewed: number;
  /** Length of the renewal window; `null` when there is none. */
  sliding: number | null;
  /** The hard limit; `null` when there is none, `'unknown'` when nobody publishes it. */
  absolute: number | null | 'unknown';
  /** Never ends. */
  noExpiry?: boolean;
}

/** What the pill and the tone speak of. */
export type Shown = 'active' | 'expiring' | 'refreshing' | 'needs' | 'offline' | 'revoked' | 'signedout';

export type Kind = 'none' | 'unknown' | 'open' | 'dim' | 'wall' | 'both';

export interface Geometry {
  kind: Kind;
  /** Drawn share of the rail, 0 to 1. */
  w: number;
  /** Position of the capsule, 0 (left end) to 1 (touches the wall). */
  p: number;
  /** Spent share of the capsule, 0 to 1. */
  q: number;
  /** The window has closed, or the limit has passed. */
  over: boolean;
  /** The window is cut short by the wall. */
  pinned: boolean;
  /** Drawn larger than true. */
  lens: boolean;
  /** Whole windows on the rail; 0 when no ticks are drawn. */
  ticks: number;
  /** Milliseconds left in the window; `NaN` when there is none. */
  left: number;
}

/** Smallest drawn share of a capsule in lists, and in the instrument. */
export const LIST_MIN_WIDTH = 0.125;
export const INSTRUMENT_MIN_WIDTH = 0.03;
/** Share of an open-ended rail that the capsule takes, not to scale. */
const OPEN_WIDTH = 0.36;
/** More ticks than this turn the rail grey. */
const TICKS_MAX = 24;

/** Into 0 to 1. What cannot be computed, because a length is nothing, counts as 0. */
const clamp01 = (x: number) => (x > 0 ? Math.min(1, x) : 0);
const bare = (kind: Kind): Geometry => ({
  kind, w: 0, p: 0, q: 0, over: false, pinned: false, lens: false, ticks: 0, left: Number.NaN,
});

export function geometry(life: Life, now: number, minW = LIST_MIN_WIDTH): Geometry {
  const { issued, renewed, sliding, absolute } = life;
  if (life.noExpiry) return bare('none');
  if (sliding === null) {
    if (absolute === null || absolute === 'unknown') return bare('unknown');
    const q = (now - issued) / (absolute - issued);
    return { ...bare('wall'), w: 1, q: clamp01(q), over: !(q < 1), pinned: true, left: absolute - now };
  }
  if (absolute === null || absolute === 'unknown') {
    const q = (now - renewed) / sliding;
    const kind = absolute === 'unknown' ? 'dim' : 'open';
    return { ...bare(kind), w: OPEN_WIDTH, q: clamp01(q), over: !(q < 1), left: renewed + sliding - now };
  }
  const total = absolute - issued;
  const end = Math.min(renewed + sliding, absolute);
  const pinned = renewed + sliding >= absolute;
  const trueShare = (end - renewed) / total;
  const w = trueShare > minW ? Math.min(1, trueShare) : minW;
  const p = pinned ? 1 : clamp01((renewed - issued) / (total - sliding));
  const q = (now - renewed) / (end - renewed);
  const windows = total / sliding;
  const ticks = windows >= 2 && windows <= Math.min(TICKS_MAX, 1 / minW) + 1e-9 ? windows : 0;
  return {
    kind: 'both', w, p, q: clamp01(q), over: !(q < 1), pinned, lens: !pinned && trueShare < minW, ticks, left: end - now,
  };
}

/** Lead time before a hard limit: a tenth of the whole life, at least 10 min, at most 24 h. */
export function lead(life: Life): number {
  const total = typeof life.absolute === 'number' ? life.absolute - life.issued : 0;
  return Math.min(D, Math.max(10 * M, total * 0.1));
}

/** Whether the hard limit lies within the lead time, or behind. */
export function wallTone(life: Life, shown: Shown, now: number): 'far' | 'near' | 'hit' {
  if (typeof life.absolute !== 'number') return 'far';
  const left = life.absolute - now;
  if (left <= 0) return 'hit';
  return shown !== 'needs' && left <= lead(life) ? 'near' : 'far';
}

export type Tone = 'bad' | 'warn' | 'work' | 'held' | 'gone' | 'ok';

export function tone(shown: Shown): Tone {
  switch (shown) {
    case 'needs': return 'bad';
    case 'expiring': return 'warn';
    case 'refreshing': return 'work';
    case 'offline': return 'held';
    case 'revoked':
    case 'signedout': return 'gone';
    default: return 'ok';
  }
}

/** What the bar shows, as a sentence: for screen readers, tooltips and print. */
export function describe(life: Life, shown: Shown, now: number): string {
  if (shown === 'revoked') return 'Revoked. Nothing is held for this account.';
  if (shown === 'signedout') return 'Signed out. Nothing is held for this account.';
  const g = geometry(life, now);
  const closed = 'The renewal window has closed.';
  const window = () => `Renewal window: ${spoken(g.left)} left of ${spoken(life.sliding ?? 0)}`;
  const limit = () => {
    const wall = life.absolute as number;
    return `Hard limit in ${spoken(wall - now)}, ${at(wall, now)}.`;
  };
  switch (g.kind) {
    case 'none': return 'This credential does not expire.';
    case 'unknown': return 'Lifetime unknown: the provider did not say.';
    case 'open': return g.over ? closed : `${window()}. No hard limit.`;
    case 'dim': return g.over ? closed : `${window()}. Hard limit not published by the provider.`;
    case 'wall': return g.over ? 'Past its hard limit.' : `${limit()} It cannot be renewed.`;
    case 'both': return g.over ? closed : `${window()}${g.pinned ? ', cut short by the hard limit' : ''}. ${limit()}`;
  }
}
