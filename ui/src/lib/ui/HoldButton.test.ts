import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { announcer } from '../announce.svelte';
import HoldButton from './HoldButton.svelte';

beforeEach(() => vi.useFakeTimers());
afterEach(() => (announcer.text = ''));

function button(more = {}) {
  const confirm = vi.fn();
  render(HoldButton, { props: { label: 'Hold to revoke', armedLabel: 'Press again to revoke', icon: 'ban', ms: 1200, onconfirm: confirm, ...more } });
  return { confirm, element: screen.getByRole('button') };
}
const label = (element: HTMLElement) => element.textContent?.trim();

it('confirms after it was held long enough, and not before', async () => {
  const { confirm, element } = button();
  await fireEvent.pointerDown(element, { button: 0 });
  await vi.advanceTimersByTimeAsync(1199);
  expect(confirm).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(confirm).toHaveBeenCalledTimes(1);
  await fireEvent.pointerUp(element);
  await fireEvent.click(element, { detail: 1 });
  expect(confirm).toHaveBeenCalledTimes(1);
});

it('asks to keep holding when it is let go early', async () => {
  const { confirm, element } = button();
  await fireEvent.pointerDown(element, { button: 0 });
  await vi.advanceTimersByTimeAsync(400);
  await fireEvent.pointerUp(element);
  expect(label(element)).toBe('Keep holding');
  await vi.advanceTimersByTimeAsync(5000);
  expect(label(element)).toBe('Hold to revoke');
  expect(confirm).not.toHaveBeenCalled();
});

it('does nothing when the pointer leaves, and nothing on a short click', async () => {
  const { confirm, element } = button();
  await fireEvent.pointerDown(element, { button: 0 });
  await fireEvent.pointerLeave(element);
  await fireEvent.click(element, { detail: 1 });
  await fireEvent.click(element, { detail: 1 });
  await vi.advanceTimersByTimeAsync(5000);
  expect(confirm).not.toHaveBeenCalled();
});

it('confirms by two presses without a pointer, and says so to screen readers', async () => {
  const { confirm, element } = button();
  await fireEvent.click(element, { detail: 0 });
  expect(label(element)).toBe('Press again to revoke');
  expect(announcer.text.trim()).toBe('Press again to revoke');
  expect(confirm).not.toHaveBeenCalled();
  await fireEvent.click(element, { detail: 0 });
  expect(confirm).toHaveBeenCalledTimes(1);
});

it('forgets the first press after four seconds', async () => {
  const { confirm, element } = button();
  await fireEvent.click(element, { detail: 0 });
  await vi.advanceTimersByTimeAsync(4000);
  expect(label(element)).toBe('Hold to revoke');
  await fireEvent.click(element, { detail: 0 });
  expect(confirm).not.toHaveBeenCalled();
});

it('cannot be confirmed while it is busy', async () => {
  const { confirm, element } = button({ busy: true });
  await fireEvent.click(element, { detail: 0 });
  await fireEvent.click(element, { detail: 0 });
  await fireEvent.pointerDown(element, { button: 0 });
  await vi.advanceTimersByTimeAsync(5000);
  expect(confirm).not.toHaveBeenCalled();
});
