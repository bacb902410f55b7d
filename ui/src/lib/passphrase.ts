/*
 * How hard a passphrase is to guess, as a lower bound that errs on the weak side: known words, names, runs, repeats
 * and keyboard walks count for little; what is left counts by the characters it draws from.
 */

export type Level = 0 | 1 | 2 | 3 | 4;

export interface Strength {
  /** 0 nothing entered, 1 weak, 2 fair, 3 strong, 4 very strong. The vault takes 3 and more. */
  level: Level;
  bits: number;
  text: string;
}

/** Words that lists of broken passwords begin with; anything built from them falls first. */
const COMMON = new Set(
  ('password passwort passord motdepasse contrasena letmein welcome willkommen admin administrator root login master ' +
    'secret geheim qwerty azerty qwertz asdfgh zxcvbn monkey dragon football baseball superman batman sunshine ' +
    'princess iloveyou iloveu trustno shadow michael jordan hunter ranger killer computer internet service access ' +
    'hello hallo summer winter spring autumn sommer monday friday january december holdfast vault keyring google ' +
    'microsoft facebook apple samsung company office northwind contoso correct horse battery staple love test guest ' +
    'user pass changeme default starwars pokemon cheese pepper ginger soccer hockey chelsea liverpool arsenal').split(' '),
);
const ROWS = ['qwertyuiop', 'qwertzuiop', 'azertyuiop', 'asdfghjkl', 'zxcvbnm', '1234567890', 'abcdefghijklmnopqrstuvwxyz'];
const WALKS = ROWS.flatMap((row) => [row, [...row].reverse().join('')]);
const LEET: Readonly<Record<string, string>> = { '0': 'o', '1': 'l', '3': 'e', '4': 'a', '5': 's', '7': 't', '@': 'a', $: 's', '!': 'i' };

/** Bits that a word out of a known list adds, and a word of letters that is in none of ours. */
const BITS_COMMON = 6;
const BITS_WORD = 11;

const pool = (char: string): number =>
  /[a-z]/.test(char) ? 26 : /[A-Z]/.test(char) ? 26 : /\d/.test(char) ? 10 : char.charCodeAt(0) < 128 ? 33 : 64;

/** Length of a run, a repeat or a keyboard walk that begins at `from`; 0 when there is none of three or more. */
function patterned(lower: string, from: number): number {
  let repeat = 1;
  while (lower[from + repeat] === lower[from]) repeat += 1;
  let walk = 0;
  for (const row of WALKS) {
    let n = 2;
    while (from + n <= lower.length && row.includes(lower.slice(from, from + n))) n += 1;
    walk = Math.max(walk, n - 1);
  }
  const longest = Math.max(repeat, walk);
  return longest >= 3 ? longest : 0;
}

function bitsOfPart(part: string): number {
  const lower = part.toLowerCase();
  const plain = [...lower].map((char) => LEET[char] ?? char).join('');
  let bits = 0;
  let i = 0;
  while (i < part.length) {
    const run = patterned(lower, i);
    if (run) {
      bits += 3 + Math.log2(run);
      i += run;
      continue;
    }
    let known = 0;
    for (let end = Math.min(plain.length, i + 14); end > i + 3; end -= 1) {
      if (COMMON.has(lower.slice(i, end)) || COMMON.has(plain.slice(i, end).replace(/[^a-z]/g, ''))) {
        known = end - i;
        break;
      }
    }
    if (known) {
      bits += BITS_COMMON + (/[A-Z]/.test(part.slice(i, i + known)) ? 1 : 0);
      i += known;
      continue;
    }
    const year = /^(?:19|20)\d\d/.exec(part.slice(i));
    if (year) {
      bits += 6;
      i += 4;
      continue;
    }
    bits += Math.log2(pool(part[i] ?? ' '));
    i += 1;
  }
  return bits;
}

/** Bits of a lower bound on guessing. */
export function estimate(passphrase: string): number {
  const parts = passphrase.normalize('NFKC').split(/[\s\-_.,;:/]+/).filter(Boolean);
  const seen = new Set<string>();
  let bits = 0;
  for (const part of parts) {
    const key = part.toLowerCase();
    if (seen.has(key)) {
      bits += 1;
      continue;
    }
    seen.add(key);
    const own = bitsOfPart(part);
    // A word of letters only is most likely out of a dictionary, however long it is. Alone, it is worth no more.
    const word = parts.length > 1 && /^\p{L}+$/u.test(part);
    bits += word ? Math.min(own, BITS_WORD + (/^\p{Ll}+$/u.test(part) || /^\p{Lu}\p{Ll}+$/u.test(part) ? 0 : 3)) : own;
  }
  return bits;
}

/**
 * Guesses in a second that one graphics card makes against Argon2id with the vault's memory: about a hundred, taken
 * ten times higher here.
 */
const GUESSES_A_SECOND = 1000;

const AGES: readonly [seconds: number, unit: string, one: number][] = [
  [60, 'seconds', 1], [3600, 'minutes', 60], [86400, 'hours', 3600], [31557600, 'days', 86400], [3155760000, 'years', 31557600],
];

function guessing(bits: number): string {
  const seconds = 2 ** (bits - 1) / GUESSES_A_SECOND;
  if (seconds < 1) return 'Guessed at once.';
  for (const [below, unit, one] of AGES) {
    if (seconds < below) {
      const n = Math.max(1, Math.round(seconds / one));
      return `Guessing takes about ${n} ${n === 1 ? unit.slice(0, -1) : unit} on one graphics card.`;
    }
  }
  return seconds < 3.2e13 ? 'Guessing takes longer than a lifetime on one graphics card.' : 'Guessing takes longer than anybody has.';
}

export function strength(passphrase: string): Strength {
  if (!passphrase) return { level: 0, bits: 0, text: '' };
  const bits = estimate(passphrase);
  const level: Level = bits < 35 ? 1 : bits < 45 ? 2 : bits < 62 ? 3 : 4;
  return { level, bits, text: guessing(bits) };
}

const ONSETS = ['b', 'd', 'f', 'g', 'h', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'w', 'z'] as const;
const VOWELS = ['a', 'e', 'i', 'o', 'u'] as const;
const SYLLABLES = ONSETS.length * VOWELS.length;

/** One of `n`, each as likely as the other. */
function pick(n: number): number {
  const limit = Math.floor(256 / n) * n;
  const byte = new Uint8Array(1);
  do crypto.getRandomValues(byte);
  while ((byte[0] ?? 0) >= limit);
  return (byte[0] ?? 0) % n;
}

/** Five made-up words of two syllables and one of three: 13 syllables out of 80, 82 bits. */
export function suggest(): string {
  const word = (syllables: number) =>
    Array.from({ length: syllables }, () => {
      const one = pick(SYLLABLES);
      return (ONSETS[Math.floor(one / VOWELS.length)] ?? 'b') + (VOWELS[one % VOWELS.length] ?? 'a');
    }).join('');
  return [2, 2, 2, 2, 2, 3].map(word).join(' ');
}
