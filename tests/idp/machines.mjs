// The registered clients that need no browser: they act for themselves, or with a token that they have.

import { publicJwks } from './client_keys.mjs';
import { JWT_BEARER } from './jwt_bearer.mjs';
import { TOKEN_EXCHANGE } from './token_exchange.mjs';

const common = { redirect_uris: [], response_types: [] };

export const machines = [
  {
    ...common,
    client_id: 'machine',
    client_secret: 'secret-of-machine',
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'client_secret_basic',
  },
  {
    ...common,
    client_id: 'machine-post',
    client_secret: 'secret-of-machine-post',
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'client_secret_post',
  },
  {
    ...common,
    client_id: 'exchange',
    client_secret: 'secret-of-exchange',
    grant_types: [TOKEN_EXCHANGE],
    token_endpoint_auth_method: 'client_secret_basic',
  },
  {
    ...common,
    // The assertion says who it is (RFC 7523 section 3.1); oidc-provider wants the client_id beside it.
    client_id: 'bearer',
    grant_types: [JWT_BEARER],
    jwks: publicJwks,
    token_endpoint_auth_method: 'none',
  },
  {
    ...common,
    // Asks about tokens and gets none. Its answers are signed where it accepts application/token-introspection+jwt.
    client_id: 'rs',
    client_secret: 'secret-of-rs',
    grant_types: [],
    introspection_signed_response_alg: 'RS256',
    token_endpoint_auth_method: 'client_secret_basic',
  },
];
