// What happens between /auth and the redirect: signing in, consent, cancel.

import { readForm } from './body.mjs';
import { consentPage, loginPage } from './pages.mjs';
import { settings } from './settings.mjs';
import { passwordFits } from './users.mjs';

function html(res, status, text) {
  res.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
  });
  res.end(text);
}

async function grantAll(provider, { prompt, session, params, grantId }) {
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
  if (prompt.details.missingOIDCClaims) grant.addOIDCClaims(prompt.details.missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  return { consent: { grantId: await grant.save() } };
}

/** Answers `/interaction/UID` and `/interaction/UID/abort`. */
export async function interact(provider, req, res) {
  const details = await provider.interactionDetails(req, res);
  const { uid, prompt, params } = details;
  const client = params.client_id;
  const finish = (result) => provider.interactionFinished(req, res, result);

  if (req.method === 'GET') {
    if (prompt.name === 'login') return html(res, 200, loginPage({ uid, client, hint: params.login_hint }));
    if (settings.autoConsent) return finish(await grantAll(provider, details));
    return html(res, 200, consentPage({ uid, client, scopes: (params.scope ?? '').split(' ') }));
  }
  if (req.url.endsWith('/abort')) {
    return finish({ error: 'access_denied', error_description: 'the person cancelled' });
  }
  const form = await readForm(req);
  if (form.prompt !== prompt.name) return html(res, 400, loginPage({ uid, client }));
  if (prompt.name === 'consent') return finish(await grantAll(provider, details));
  if (passwordFits(form.login, form.password)) return finish({ login: { accountId: form.login } });
  return html(res, 200, loginPage({ uid, client, hint: form.login, wrong: true }));
}
