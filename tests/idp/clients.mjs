// The registered clients.

/** Contains what client_secret_basic has to form-encode (RFC 6749 section 2.3.1). */
export const CONFIDENTIAL_SECRET = 'p:ss wo%rd+1';
export const FIXED_PORT_REDIRECT = 'http://127.0.0.1:49152/callback';

/** `native` matches loopback URIs of this path on any port (RFC 8252 section 7.3). */
const ANY_LOOPBACK_PORT = ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://127.0.0.1/'];

const common = {
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  redirect_uris: ANY_LOOPBACK_PORT,
};

export const clients = [
  { ...common, client_id: 'native', client_name: 'Holdfast', token_endpoint_auth_method: 'none' },
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
];
