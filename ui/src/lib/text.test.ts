import { expect, it } from 'vitest';
import table from '../../../crates/model/src/unseen.txt?raw';
import { clean, host } from './text';

it('cuts what a provider says at 200 characters, without tearing one apart', () => {
  expect(clean('a'.repeat(200))).toBe('a'.repeat(200));
  expect(clean('a'.repeat(201))).toBe(`${'a'.repeat(199)}…`);
  const emoji = clean('🔑'.repeat(300));
  expect(Array.from(emoji)).toHaveLength(200);
  expect(emoji.startsWith('🔑🔑')).toBe(true);
});

it('shows control characters and marks that turn text around as what they are', () => {
  expect(clean('a\u0000b\u001b[31mc\u007f')).toBe('a\uFFFDb\uFFFD[31mc\uFFFD');
  expect(clean('evil\u202Egpj.exe')).toBe('evil\uFFFDgpj.exe');
  for (const bidi of '\u061C\u200E\u200F\u202A\u202B\u202C\u202D\u202E\u2066\u2067\u2068\u2069') {
    expect(clean(`x${bidi}y`)).toBe('x\uFFFDy');
  }
  expect(clean('two\nlines\tand \u2028more')).toBe('two\uFFFDlines\uFFFDand \uFFFDmore');
  expect(clean('half \uD83D')).toBe('half \uFFFD');
});

it('replaces every character of the table that the vault process has too, and no other', () => {
  const ranges = table.split('\n').filter((line) => /^[0-9A-F]/.test(line)).map((line) => {
    const [first = '', last = first] = (line.split(' ')[0] ?? '').split('-');
    return [parseInt(first, 16), parseInt(last, 16)] as const;
  });
  expect(ranges.length).toBeGreaterThan(15);
  const wrong = [];
  for (let point = 0; point <= 0x10FFFF; point += 1) {
    const half = point >= 0xD800 && point <= 0xDFFF;
    const deceives = half || point === 0xFFFD || ranges.some(([first, last]) => first <= point && point <= last);
    if ((clean(String.fromCodePoint(point)) === '\uFFFD') !== deceives) wrong.push(point.toString(16));
  }
  expect(wrong).toEqual([]);
});

it('leaves the writing of people alone', () => {
  for (const name of ['Åsa Öström', '株式会社', 'می‌خواهم', '👩‍💻', 'Ελένη']) expect(clean(name)).toBe(name);
  expect(clean(null)).toBe('');
});

it('shows hosts in the form that cannot imitate another', () => {
  expect(host('https://login.example:8443/auth?x=y')).toBe('login.example:8443');
  expect(host('https://аpple.com/')).toBe('xn--pple-43d.com');
  expect(host('not an address')).toBe('');
  expect(host(null)).toBe('');
});
