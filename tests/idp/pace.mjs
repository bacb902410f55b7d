// How often a device may ask (RFC 8628 section 3.5). oidc-provider leaves that to who uses it.

import { settings } from './settings.mjs';

/** By how much each `slow_down` lengthens the interval, as the RFC says. */
const STEP_MS = 5000;
/** Two requests at the right distance can arrive a little closer than they left. */
const JITTER_MS = 100;

const polls = new Map();

/** Tells a device its interval, and turns `authorization_pending` into `slow_down` where it was not kept. */
export function keepPace(ctx) {
  const route = ctx.oidc?.route;
  if (route === 'device_authorization' && ctx.status === 200) {
    ctx.body = { ...ctx.body, interval: settings.deviceInterval };
    polls.set(ctx.body.device_code, { intervalMs: settings.deviceInterval * 1000, earliest: 0 });
  }
  if (route !== 'token' || ctx.body?.error !== 'authorization_pending') return;
  const poll = polls.get(ctx.oidc.params.device_code);
  const now = Date.now();
  if (now < poll.earliest) {
    poll.intervalMs += STEP_MS;
    ctx.body = { error: 'slow_down', error_description: 'the device asks sooner than its interval allows' };
  }
  poll.earliest = now + poll.intervalMs - JITTER_MS;
}
