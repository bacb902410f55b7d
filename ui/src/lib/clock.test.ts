import { flushSync } from 'svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watch } from '../test/watch.svelte';
import { Clock } from './clock.svelte';
import { H, M, S } from './time';

const NOW = Date.UTC(2026, 4, 14, 13, 58, 20);
let hidden = false;
beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  hidden = false;
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden);
});
let stop: (() => void) | undefined;
afterEach(() => stop?.());

function started(serverNow = NOW): Clock {
  const clock = new Clock();
  clock.set(serverNow);
  stop = clock.start();
  return clock;
}

/** How often something that reads `of` runs again. */
function runs(of: () => number): { count: number; values: number[]; end: () => void } {
  const seen = { count: 0, values: [] as number[], end: () => undefined as void };
  seen.end = watch(() => {
    seen.values.push(of());
    seen.count += 1;
  });
  return seen;
}

it('beats on the second boundary of the agent’s clock, not of this computer’s', () => {
  const clock = started(NOW + 400);
  const seen = runs(() => clock.second);
  flushSync();
  vi.advanceTimersByTime(599);
  flushSync();
  expect(seen.values).toEqual([NOW]);
  vi.advanceTimersByTime(2);
  flushSync();
  expect(seen.values).toEqual([NOW, NOW + S]);
  vi.advanceTimersByTime(3 * S);
  flushSync();
  expect(seen.values.at(-1)).toBe(NOW + 4 * S);
  seen.end();
});

it('has a slow beat that runs once a minute', () => {
  const clock = started();
  const seen = runs(() => clock.minute);
  flushSync();
  for (let i = 0; i < 3 * 60; i += 1) {
    vi.advanceTimersByTime(S);
    flushSync();
  }
  expect(seen.count).toBe(4);
  expect(seen.values.at(-1)).toBe(Date.UTC(2026, 4, 14, 14, 1));
  seen.end();
});

it('gives seconds to what ends within the hour, and minutes to the rest', () => {
  const clock = started();
  const near = runs(() => clock.for(NOW + 30 * M));
  const far = runs(() => clock.for(NOW + 3 * H, null));
  flushSync();
  for (let i = 0; i < 30; i += 1) {
    vi.advanceTimersByTime(S);
    flushSync();
  }
  expect(near.count).toBe(31);
  expect(far.count).toBe(1);
  near.end();
  far.end();
});

it('stands still while the window is hidden, and shows the truth when it comes back', () => {
  const clock = started();
  hidden = true;
  document.dispatchEvent(new Event('visibilitychange'));
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(90 * S);
  expect(clock.second).toBe(NOW);
  hidden = false;
  document.dispatchEvent(new Event('visibilitychange'));
  expect(clock.second).toBe(NOW + 90 * S);
  expect(clock.minute).toBe(NOW + 90 * S);
});

it('ignores this computer’s clock, but says when it moved against the monotonic one', () => {
  const clock = started();
  const drift = vi.fn();
  clock.ondrift = drift;
  vi.advanceTimersByTime(5 * S);
  expect(drift).not.toHaveBeenCalled();
  vi.setSystemTime(NOW + 3 * H);
  vi.advanceTimersByTime(S);
  expect(drift).toHaveBeenCalledTimes(1);
  expect(clock.second).toBe(NOW + 6 * S);
  vi.advanceTimersByTime(5 * S);
  expect(drift).toHaveBeenCalledTimes(1);
});
