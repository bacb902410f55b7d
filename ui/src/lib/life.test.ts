import { describe as group, expect, it } from 'vitest';
import { describe, geometry, INSTRUMENT_MIN_WIDTH, lead, type Life, wallTone } from './life';
import { D, H, M } from './time';

const life = (issued: number, renewed: number, sliding: Life['sliding'], absolute: Life['absolute']): Life => ({
  issued, renewed, sliding, absolute,
});

// Section 6.2 of the design: now = 0, list size.
const TABLE = [
  ['8 h / 1 h at sign-in', life(0, 0, H, 8 * H), 'both', 0.125, 0, 0, false, false, 8, false],
  ['8 h / 1 h', life(-5 * H, -14 * M, H, 3 * H), 'both', 0.125, 0.681, 0.2333, false, false, 8, false],
  ['4 h / 1 h, last 18 min', life(-222 * M, -9 * M, H, 18 * M), 'both', 0.125, 1, 0.3333, true, false, 4, false],
  ['30 d / 1 h', life(-12 * D, -22 * M, H, 18 * D), 'both', 0.125, 0.4, 0.3667, false, true, 0, false],
  ['ticket 6 h', life(-19 * H, -95 * M, 6 * H, null), 'open', 0.36, 0, 0.2639, false, false, 0, false],
  ['access token 20 min', life(-14 * M, -14 * M, null, 6 * M), 'wall', 1, 0, 0.7, true, false, 0, false],
  ['limit not published', life(-26 * H, -8 * M, 20 * M, 'unknown'), 'dim', 0.36, 0, 0.4, false, false, 0, false],
  ['window missed', life(-9 * H, -131 * M, 30 * M, H), 'both', 0.125, 0.7175, 1, false, true, 0, true],
] as const;

group('the lifetime bar', () => {
  it.each(TABLE)('draws %s as the design says', (_, of, kind, w, p, q, pinned, lens, ticks, over) => {
    const g = geometry(of, 0);
    expect(g.kind).toBe(kind);
    expect(g.w).toBeCloseTo(w, 4);
    expect(g.p).toBeCloseTo(p, 4);
    expect(g.q).toBeCloseTo(q, 4);
    expect(g.ticks).toBeCloseTo(ticks, 9);
    expect({ pinned: g.pinned, lens: g.lens, over: g.over }).toEqual({ pinned, lens, over });
  });

  it('says when nothing is known and when nothing ends', () => {
    expect(geometry(life(-H, -H, null, 'unknown'), 0).kind).toBe('unknown');
    expect(geometry(life(-H, -H, null, null), 0).kind).toBe('unknown');
    expect(geometry({ ...life(-H, -H, H, H), noExpiry: true }, 0).kind).toBe('none');
  });

  it('keeps every number between 0 and 1, whatever the clocks say', () => {
    const odd = [
      life(H, H, H, 8 * H), // issued in the future: this computer's clock is behind
      life(-H, -H, H, -H), // limit at the same instant as sign-in
      life(-H, -2 * H, H, 8 * H), // renewed before it was issued
      life(-H, 9 * H, H, 8 * H), // renewed after its limit
      life(-H, -M, 0, 8 * H), // a window of no length
      life(-8 * H, -M, 8 * H, 30 * M), // a window as long as the life
    ];
    for (const of of odd) {
      for (const minW of [0.125, INSTRUMENT_MIN_WIDTH]) {
        const { w, p, q } = geometry(of, 0, minW);
        for (const x of [w, p, q]) expect(x >= 0 && x <= 1, JSON.stringify({ of, w, p, q })).toBe(true);
      }
    }
  });

  it('gives a tenth of the life as lead time, at least 10 min and at most 24 h', () => {
    expect(lead(life(0, 0, H, 8 * H))).toBe(48 * M);
    expect(lead(life(0, 0, H, 4 * H))).toBe(24 * M);
    expect(lead(life(0, 0, H, 30 * D))).toBe(24 * H);
    expect(lead(life(0, 0, null, 20 * M))).toBe(10 * M);
  });

  it('turns the wall amber within the lead time and vermilion once passed', () => {
    const of = life(0, 0, H, 8 * H);
    expect(wallTone(of, 'active', 8 * H - 48 * M - 1)).toBe('far');
    expect(wallTone(of, 'active', 8 * H - 48 * M)).toBe('near');
    expect(wallTone(of, 'active', 8 * H)).toBe('hit');
    expect(wallTone(of, 'needs', 8 * H - M)).toBe('far');
    expect(wallTone(life(0, 0, H, 'unknown'), 'active', D)).toBe('far');
  });

  it('says the same in a sentence', () => {
    expect(describe(life(-5 * H, -14 * M, H, 3 * H), 'active', 0)).toBe(
      'Renewal window: 46 minutes left of 1 hour. Hard limit in 3 hours, Today 03:00.',
    );
    expect(describe(life(-222 * M, -9 * M, H, 18 * M), 'expiring', 0)).toContain('cut short by the hard limit');
    expect(describe(life(-9 * H, -131 * M, 30 * M, H), 'needs', 0)).toBe('The renewal window has closed.');
    expect(describe(life(-26 * H, -8 * M, 20 * M, 'unknown'), 'active', 0)).toContain('not published');
    expect(describe(life(0, 0, H, H), 'signedout', 0)).toBe('Signed out. Nothing is held for this account.');
  });
});
