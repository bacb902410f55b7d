import { afterAll, expect, it } from 'vitest';
import { ago, at, at0, D, dur, H, hm, instant, M, S, setLocale, span, spoken } from './time';

const NOW = Date.UTC(2026, 4, 14, 13, 58, 20);
afterAll(() => setLocale('en-GB'));

it('counts down precisely when close and calmly when far', () => {
  expect([5 * S, 12 * M + 5 * S, 59 * M + 59 * S].map(dur)).toEqual(['0:05', '12:05', '59:59']);
  expect([H, 3 * H + 12 * M, 23 * H + 59 * M].map(dur)).toEqual(['1 h 00 m', '3 h 12 m', '23 h 59 m']);
  expect([D, 9 * D + 23 * H, 10 * D, 400 * D].map(dur)).toEqual(['1 d 0 h', '9 d 23 h', '10 d', '400 d']);
  expect(dur(-5 * S)).toBe('\u22120:05');
  expect(dur(0)).toBe('0:00');
  expect(dur(-0.4)).toBe('0:00');
});

it('writes lengths as people say them', () => {
  expect([20 * M, H, 30 * D, 90 * M, 24 * H, 36 * H, 45 * S, 8 * H].map(span)).toEqual(
    ['20 min', '1 h', '30 d', '1.5 h', '24 h', '36 h', '45 s', '8 h'],
  );
});

it('speaks lengths in words', () => {
  expect(spoken(3 * H + 12 * M)).toBe('3 hours 12 minutes');
  expect(spoken(D + H + M)).toBe('1 day 1 hour');
  expect(spoken(1 * S)).toBe('1 second');
  expect(spoken(-5)).toBe('0 seconds');
});

it('names the day of an instant', () => {
  expect(at(NOW + 3 * H, NOW)).toBe('Today 16:58');
  expect(at(NOW + 20 * H, NOW)).toBe('Tomorrow 09:58');
  expect(at(NOW - 14 * H, NOW)).toBe('Yesterday 23:58');
  expect(at(NOW + 5 * D, NOW)).toBe('Tue 13:58');
  expect(at(NOW + 18 * D, NOW)).toBe('1 Jun');
  expect(at(NOW + 365 * D, NOW)).toBe('14 May 2027');
  expect(at0(NOW + 3 * H, NOW)).toBe('16:58');
  expect(at0(NOW + 20 * H, NOW)).toBe('tomorrow 09:58');
});

it('uses the clock of the locale', () => {
  setLocale('en-US');
  expect(hm(NOW).replace(/\s/g, ' ')).toBe('1:58 PM');
  setLocale('de-CH');
  expect(hm(Date.UTC(2026, 4, 14, 0, 5))).toBe('00:05');
  setLocale('en-GB');
  expect(hm(Date.UTC(2026, 4, 14, 0, 5))).toBe('00:05');
});

it('says how long ago something was', () => {
  expect([5 * S, 42 * S, 14 * M, 3 * H, 9 * D].map((passed) => ago(NOW - passed, NOW))).toEqual(
    ['just now', '42 s ago', '14 min ago', '3 h ago', '9 d ago'],
  );
});

it('reads instants of the wire and nothing else', () => {
  expect(instant('2026-05-14T13:58:20Z')).toBe(NOW);
  expect(instant('2026-05-14T13:58:20.123456789Z')).toBe(NOW + 123);
  expect(instant(null)).toBeNull();
  expect(instant('soon')).toBeNull();
});
