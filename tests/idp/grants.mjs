// The grant types that oidc-provider does not have, and what they share.

import { errors } from 'oidc-provider';

import { JWT_BEARER, jwtBearer } from './jwt_bearer.mjs';
import { resourceServer } from './resources.mjs';
import { TOKEN_EXCHANGE, tokenExchange } from './token_exchange.mjs';

/** Adds them. Their handlers get the context alone. */
export function registerGrants(provider) {
  provider.registerGrantType(
    TOKEN_EXCHANGE,
    async (ctx) => {
      ctx.body = await issue(provider, ctx, await tokenExchange(provider, ctx));
    },
    [
      'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type',
      'requested_token_type', 'audience', 'resource', 'scope',
    ],
  );
  provider.registerGrantType(
    JWT_BEARER,
    async (ctx) => {
      ctx.body = await issue(provider, ctx, await jwtBearer(provider, ctx));
    },
    ['assertion', 'resource', 'scope'],
  );
}

/**
 * Makes an access token for `account` that may do what was asked for, of what is `allowed`. A resource allows its own
 * scopes instead. `more` are further members of the answer.
 */
async function issue(provider, ctx, { account, allowed, gty, more = {} }) {
  const { client, params } = ctx.oidc;
  const resource = params.resource ?? params.audience;
  const server = resource && new provider.ResourceServer(resource, resourceServer(resource));
  const possible = server ? server.scopes : allowed;
  const wanted = params.scope ? params.scope.split(' ') : [...possible];
  const refused = wanted.find((scope) => !possible.has(scope));
  if (refused !== undefined) throw new errors.InvalidScope('requested scope is not allowed', refused);

  const grant = new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
  if (server) grant.addResourceScope(resource, wanted);
  else grant.addOIDCScope(wanted);
  const token = new provider.AccessToken({
    accountId: account.accountId, client, grantId: await grant.save(), gty, scope: wanted.join(' '),
  });
  if (server) token.resourceServer = server;
  ctx.oidc.entity('Account', account);
  ctx.oidc.entity('AccessToken', token);
  return {
    access_token: await token.save(),
    token_type: token.tokenType,
    expires_in: token.expiration,
    scope: token.scope || undefined,
    ...more,
  };
}
