import decodeQR from 'qr/decode.js';
import { expect, it } from 'vitest';
import { modules, outline, QUIET_ZONE } from './qr';

const ADDRESS = 'https://id.example/device?user_code=WDJB-MJHT';

/** What a camera sees: each module as a square of `scale` pixels, read back from the path. */
function photograph(path: string, size: number, scale = 4) {
  const data = new Uint8Array((size * scale) ** 2 * 4).fill(255);
  for (const [, x, y, width] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    for (let py = Number(y) * scale; py < (Number(y) + 1) * scale; py++) {
      for (let px = Number(x) * scale; px < (Number(x) + Number(width)) * scale; px++) data.fill(0, (py * size * scale + px) * 4, (py * size * scale + px) * 4 + 3);
    }
  }
  return { width: size * scale, height: size * scale, data };
}

it('draws what a reader of such codes reads as the same address', () => {
  for (const address of [ADDRESS, 'https://id.example/', `https://id.example/device?user_code=${'x'.repeat(300)}`]) {
    const rows = modules(address) ?? [];
    expect(decodeQR(photograph(outline(rows), rows.length))).toBe(address);
  }
});

it('draws each dark module once, and nothing in the quiet zone', () => {
  const rows = modules(ADDRESS) ?? [];
  const drawn = rows.map((row) => row.map(() => 0));
  for (const [, x, y, width] of outline(rows).matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    for (let dx = 0; dx < Number(width); dx++) drawn[Number(y)]![Number(x) + dx]! += 1;
  }
  expect(drawn).toEqual(rows.map((row) => row.map(Number)));
  const end = rows.length - QUIET_ZONE;
  rows.forEach((row, y) => row.forEach((dark, x) => {
    if (Math.min(x, y) < QUIET_ZONE || Math.max(x, y) >= end) expect(dark).toBe(false);
  }));
});

it('has no code for what is too long for one', () => {
  expect(modules('x'.repeat(8_000))).toBeNull();
});
