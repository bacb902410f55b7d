import { cleanup } from '@testing-library/svelte';
import { afterEach, vi } from 'vitest';
import { setLocale } from '../lib/time';

// jsdom lays nothing out: nobody's size ever changes, and the system prefers dark.
class NoResize {
  observe() {}
  unobserve() {}
  disconnect() {}
}
vi.stubGlobal('ResizeObserver', NoResize);
vi.stubGlobal('matchMedia', (query: string) => ({
  matches: query.includes('dark'), media: query, addEventListener() {}, removeEventListener() {},
}));

setLocale('en-GB');

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});
