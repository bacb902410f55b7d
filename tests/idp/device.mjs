// The pages on which a person approves a device (RFC 8628 section 3.3).
//
// They are plain forms, so that a script can be the person:
// 1. GET /device            -> a form with the hidden field `xsrf` and an empty `user_code`.
// 2. POST /device           xsrf, user_code -> a form with the hidden fields `xsrf`, `user_code` and `confirm` (`yes`).
// 3. POST /device           xsrf, user_code, confirm=yes -> redirects to the forms of a sign-in (interactions.mjs), and
//                           at their end to the last page. With abort=yes the device hears `access_denied`.
//
// GET /device?user_code=... (`verification_uri_complete`) leads to a form with `xsrf` and `user_code` filled
// in, which a browser sends at once as in step 2.
// A wrong, expired or used code shows the form of step 1 again, with the reason.

import { deviceDonePage, userCodeConfirmPage, userCodePage } from './pages.mjs';

const nameOf = (client) => client.clientName || client.clientId;

function show(ctx, text) {
  ctx.type = 'html';
  ctx.body = text;
}

/** `userCodeInputSource` of oidc-provider. */
export function askForUserCode(ctx, form, _out, error) {
  const reasons = {
    AbortedError: 'The sign-in was cancelled.',
    AlreadyUsedError: 'This code was used already.',
    ExpiredError: 'This code has expired. Let your device show a new one.',
  };
  const wrong = error && (reasons[error.name] ?? 'This code is not known. Compare it with the one on your device.');
  show(ctx, userCodePage({ form, wrong }));
}

/** `userCodeConfirmSource` of oidc-provider. */
export function confirmUserCode(ctx, form, client, _deviceInfo, userCode) {
  show(ctx, userCodeConfirmPage({ form, client: nameOf(client), userCode }));
}

/** `successSource` of oidc-provider. */
export function deviceDone(ctx) {
  show(ctx, deviceDonePage({ client: nameOf(ctx.oidc.client) }));
}
