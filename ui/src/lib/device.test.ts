import { expect, it } from 'vitest';
import { scannable, spelled, typed } from './device';

const prompt = (verification_uri: string, verification_uri_complete: string | null) => ({ verification_uri, verification_uri_complete, user_code: 'WDJB-MJHT' });

it('sends cameras to the page with the code in it, and to no other kind of address', () => {
  const [page, complete] = ['https://id.example/device', 'https://id.example/device?user_code=WDJB-MJHT'];
  expect(scannable(prompt(page, complete))).toEqual([complete, page]);
  expect(scannable(prompt(page, null))).toEqual([page]);
  expect(scannable(prompt(page, 'tel:+4700000000'))).toEqual([page]);
  expect(scannable(prompt('javascript:alert(1)', 'WIFI:S:free;;'))).toEqual([]);
});

it('writes the page as a person types it', () => {
  expect(typed('https://id.example/device')).toBe('id.example/device');
  expect(typed('https://id.example/')).toBe('id.example');
  expect(typed('http://127.0.0.1:4444/device')).toBe('http://127.0.0.1:4444/device');
  expect(typed('https://id.example/\u202Eecived')).toBe('id.example/\uFFFDecived');
});

it('spells a code for those who hear it', () => {
  expect(spelled('WDJB-MJHT')).toBe('W D J B, M J H T');
  expect(spelled('123 456')).toBe('1 2 3, 4 5 6');
  expect(spelled('--')).toBe('');
});
