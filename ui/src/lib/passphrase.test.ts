import { expect, it } from 'vitest';
import { estimate, strength, suggest } from './passphrase';

it('calls weak what lists of broken passwords begin with', () => {
  for (const weak of [
    'password', 'Password1!', 'P@ssw0rd2024', 'northwind1', 'qwertyuiop', 'aaaaaaaaaaaaaaaaaaaaaa', '12345678901234567890',
    'abcdefghijklmnop', 'letmein-letmein-letmein', 'Summer2026!', 'iloveyou iloveyou', 'correct horse battery staple',
  ]) {
    expect(strength(weak).level, weak).toBe(1);
  }
});

it('takes five random words, and long random characters', () => {
  expect(strength('copper thistle wagon mellow orbit').level).toBeGreaterThanOrEqual(3);
  expect(strength('copper thistle wagon mellow orbit lantern').level).toBe(4);
  expect(strength('k7#Wq2!zR9vX').level).toBeGreaterThanOrEqual(3);
  expect(strength('copper thistle').level).toBeLessThan(3);
});

it('gets no stronger by saying a word twice', () => {
  const once = estimate('copper thistle wagon');
  expect(estimate('copper thistle wagon wagon wagon wagon')).toBeLessThan(once + 4);
});

it('says nothing about nothing', () => {
  expect(strength('')).toEqual({ level: 0, bits: 0, text: '' });
});

it('suggests passphrases that it would take itself, each another', () => {
  const suggestions = Array.from({ length: 50 }, suggest);
  expect(new Set(suggestions).size).toBe(50);
  for (const one of suggestions) {
    expect(one).toMatch(/^([a-z]{4} ){5}[a-z]{6}$/);
    expect(strength(one).level, one).toBeGreaterThanOrEqual(3);
  }
});
