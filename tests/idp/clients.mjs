// The registered clients that sign people in, and those of machines.mjs.

import { settings } from './settings.mjs';
import { publicJwks } from './client_keys.mjs';
import { machines } from './machines.mjs';

/** Contains what client_secret_basic has to form-encode (RFC 6749 section 2.3.1). */
export const CONFIDENTIAL_SECRET = 'p:ss wo%rd+1';
/** As long as the hash that is keyed with it (RFC 7518 section 3.2). */
export const JWT_SECRET = 'secret-of-csj-that-is-32-bytes-or-more';
export const FIXED_PORT_REDIRECT = 'http://127.0.0.1:49152/callback';

/** Of the scheme that the desktop registers. */
export const OWN_SCHEME_REDIRECT = 'app.holdfast.desktop:/callback/demo';

/** `native` matches loopback URIs of this path on any port (RFC 8252 section 7.3). */
const ANY_LOOPBACK_PORT = ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://127.0.0.1/'];

/** Where the browser may be sent after its session was ended (OpenID Connect RP-Initiated Logout section 3.1), on any port too. */
const AFTER_LOGOUT = ['http://127.0.0.1/signed-out'];

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

const common = {
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  redirect_uris: ANY_LOOPBACK_PORT,
};

const native = { ...common, token_endpoint_auth_method: 'none' };

export const clients = [
  {
    ...native,
    client_id: 'native',
    client_name: 'Holdfast',
    grant_types: [...common.grant_types, DEVICE_CODE],
    post_logout_redirect_uris: AFTER_LOGOUT,
  },
  // Comes back by the desktop, and by no port (RFC 8252 section 7.1).
  { ...native, client_id: 'native-scheme', redirect_uris: [OWN_SCHEME_REDIRECT] },
  { ...native, client_id: 'native-dpop', dpop_bound_access_tokens: true },
  { ...native, client_id: 'native-es256', id_token_signed_response_alg: 'ES256' },
  ...(settings.pushed ? [{ ...native, client_id: 'native-par', require_pushed_authorization_requests: true }] : []),
  // Answers are signed where the request has a response_mode that ends in `jwt` (JARM section 2.3).
  { ...native, client_id: 'native-jarm', authorization_signed_response_alg: 'ES256' },
  { ...native, client_id: 'native-userinfo', userinfo_signed_response_alg: 'RS256' },
  {
    ...native,
    // Has no redirect URI: it cannot open a browser.
    client_id: 'device',
    client_name: 'Holdfast on a device',
    grant_types: [DEVICE_CODE, 'refresh_token'],
    redirect_uris: [],
    response_types: [],
  },
  {
    ...common,
    client_id: 'confidential',
    client_secret: CONFIDENTIAL_SECRET,
    token_endpoint_auth_method: 'client_secret_basic',
  },
  {
    ...common,
    client_id: 'confidential-post',
    client_secret: CONFIDENTIAL_SECRET,
    token_endpoint_auth_method: 'client_secret_post',
  },
  {
    ...common,
    client_id: 'pkj',
    grant_types: [...common.grant_types, 'client_credentials'],
    jwks: publicJwks,
    token_endpoint_auth_method: 'private_key_jwt',
  },
  {
    ...common,
    client_id: 'csj',
    client_secret: JWT_SECRET,
    grant_types: [...common.grant_types, 'client_credentials'],
    token_endpoint_auth_method: 'client_secret_jwt',
    token_endpoint_auth_signing_alg: 'HS256',
  },
  {
    ...common,
    // oidc-agent sends its secret as it is, not form-encoded, so it has none that would need that.
    client_id: 'oidc-agent',
    client_secret: 'secret-of-oidc-agent',
    token_endpoint_auth_method: 'client_secret_basic',
  },
  {
    ...common,
    // A web client's redirect URI is compared exactly, port and all.
    application_type: 'web',
    client_id: 'fixed-port',
    redirect_uris: [FIXED_PORT_REDIRECT],
    token_endpoint_auth_method: 'none',
  },
  ...machines,
];
