// How oidc-provider is set up.

import { interactionPolicy } from 'oidc-provider';

import { clients } from './clients.mjs';
import { errorPage } from './pages.mjs';
import { settings } from './settings.mjs';
import { extendRefreshToken, Store } from './store.mjs';
import { findAccount } from './users.mjs';

const now = () => Math.floor(Date.now() / 1000);

/** Sliding and absolute together: what is left of the absolute limit, but no more than the window. */
function refreshLife(token) {
  const left = settings.refreshAbsolute - (now() - (token.iiat ?? now()));
  return Math.max(1, Math.min(settings.refreshSliding, left));
}

function rotation() {
  if (settings.rotate === 'always') return true;
  if (settings.rotate === 'default') return undefined;
  // A token that stays the same still slides.
  return (ctx) => {
    const token = ctx.oidc.entities.RefreshToken;
    extendRefreshToken(token.jti, now() + refreshLife(token));
    return false;
  };
}

function prompts() {
  const policy = interactionPolicy.base();
  // Otherwise a native client is asked for consent at every sign-in, even where it was given.
  policy.get('consent').checks.remove('native_client_prompt');
  return policy;
}

/** The configuration for a Provider that signs with `keys` (the first of each algorithm). */
export function configuration(keys) {
  const rotateRefreshToken = rotation();
  return {
    adapter: Store,
    clients,
    jwks: { keys },
    findAccount,
    clockTolerance: 0,
    cookies: { keys: ['the cookies of a test server protect nobody'] },
    conformIdTokenClaims: false,
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
    },
    features: {
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    interactions: { policy: prompts(), url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    ...(rotateRefreshToken === undefined ? {} : { rotateRefreshToken }),
    renderError: (ctx, out) => {
      ctx.type = 'html';
      ctx.body = errorPage(out);
    },
    ttl: {
      AccessToken: settings.accessToken,
      AuthorizationCode: settings.code,
      Grant: settings.grant,
      IdToken: settings.idToken,
      Interaction: 3600,
      RefreshToken: (_ctx, token) => refreshLife(token),
      Session: settings.session,
    },
  };
}
