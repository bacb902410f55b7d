// How oidc-provider is set up.

import { interactionPolicy } from 'oidc-provider';

import { clients } from './clients.mjs';
import { askForUserCode, confirmUserCode, deviceDone } from './device.mjs';
import { dpopNonces } from './nonces.mjs';
import { errorPage, signedOutPage, signOutPage } from './pages.mjs';
import { resourceServer, SCOPES } from './resources.mjs';
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
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: askForUserCode,
        userCodeConfirmSource: confirmUserCode,
        successSource: deviceDone,
      },
      dPoP: { enabled: true, ...dpopNonces() },
      introspection: { enabled: true },
      jwtIntrospection: { enabled: true },
      jwtResponseModes: { enabled: true },
      jwtUserinfo: { enabled: true },
      pushedAuthorizationRequests: { enabled: settings.pushed, requirePushedAuthorizationRequests: false },
      registration: { enabled: true, initialAccessToken: settings.registrationToken },
      registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: (_ctx, indicator) => resourceServer(indicator) },
      revocation: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = signOutPage({ form });
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.body = signedOutPage();
        },
      },
    },
    interactions: { policy: prompts(), url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    ...(rotateRefreshToken === undefined ? {} : { rotateRefreshToken }),
    renderError: (ctx, out) => {
      ctx.type = 'html';
      ctx.body = errorPage(out);
    },
    // The scopes of the APIs too: they may be asked for without naming a resource.
    scopes: ['openid', 'offline_access', ...SCOPES],
    ttl: {
      AccessToken: settings.accessToken,
      AuthorizationCode: settings.code,
      ClientCredentials: settings.clientCredentials,
      DeviceCode: settings.deviceCode,
      Grant: settings.grant,
      IdToken: settings.idToken,
      Interaction: 3600,
      RefreshToken: (_ctx, token) => refreshLife(token),
      Session: settings.session,
    },
  };
}
