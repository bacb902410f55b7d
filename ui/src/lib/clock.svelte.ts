/*
 * The one clock of the window. `now` is the agent's clock: its last word plus what the monotonic clock has counted
 * since. Nothing else in the window owns a timer for showing time.
 */
import { M, S } from './time';

/** A beat that comes this much early still counts as the second it was set for. */
const EARLY = 20;
/** Wall and monotonic clock may drift apart by this much before the agent is asked again: sleep, or a clock step. */
const DRIFT = 2 * S;

export class Clock {
  #second = $state(0);
  #minute = $state(0);
  /** Server time minus monotonic time. */
  #offset: number;
  /** Wall time minus monotonic time, when the offset was learned. */
  #wall: number;
  #minuteIndex = Number.NaN;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  /** Called when this computer slept or its clock was set: the offset is no longer to be trusted. */
  ondrift: (() => void) | undefined;

  constructor() {
    this.#offset = this.#wall = Date.now() - performance.now();
    this.#beat();
  }

  /** The agent's clock now, in milliseconds. Not reactive. */
  now(): number {
    return performance.now() + this.#offset;
  }

  /** The agent's clock at the last second beat. */
  get second(): number {
    return this.#second;
  }

  /** The agent's clock at the last minute beat: when the minute changed, or the clock was set. */
  get minute(): number {
    return this.#minute;
  }

  /** The beat to read for something that ends at the nearest of `ends`: seconds within the hour, else minutes. */
  for(...ends: (number | null | undefined)[]): number {
    const minute = this.#minute;
    const near = ends.some((end) => typeof end === 'number' && end - minute < 61 * M && end - minute > -61 * M);
    return near ? this.#second : minute;
  }

  /** Takes over the agent's clock, as it was when its message arrived. */
  set(serverNow: number): void {
    this.#offset = serverNow - performance.now();
    this.#wall = Date.now() - performance.now();
    this.#minuteIndex = Number.NaN;
    this.#beat();
  }

  /** Starts beating; the result stops it. */
  start(): () => void {
    this.#running = true;
    const visibility = () => this.#beat();
    document.addEventListener('visibilitychange', visibility);
    this.#beat();
    return () => {
      this.#running = false;
      clearTimeout(this.#timer);
      document.removeEventListener('visibilitychange', visibility);
    };
  }

  #beat(): void {
    clearTimeout(this.#timer);
    if (this.#running && document.hidden) return;
    const now = this.now();
    this.#second = Math.floor((now + EARLY) / S) * S;
    const index = Math.floor((now + EARLY) / M);
    if (index !== this.#minuteIndex) {
      this.#minuteIndex = index;
      this.#minute = this.#second;
    }
    if (!this.#running) return;
    const wall = Date.now() - performance.now();
    if (Math.abs(wall - this.#wall) > DRIFT) {
      this.#wall = wall;
      this.ondrift?.();
    }
    this.#timer = setTimeout(() => this.#beat(), S - (((now % S) + S) % S));
  }
}

export const clock = new Clock();
