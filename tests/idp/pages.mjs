// Our own pages: nothing in them comes from another host.

const STYLE = `
  body { font: 16px system-ui, sans-serif; background: #f1f4f3; color: #131b1a; display: grid; place-items: center; min-height: 90vh }
  main { background: #fff; border: 1px solid #ccd4d1; border-radius: 8px; padding: 24px 32px; width: 320px }
  label { display: block; margin: 12px 0 } input { display: block; width: 100%; box-sizing: border-box; padding: 8px; margin-top: 4px; font: inherit }
  button { font: inherit; padding: 8px 16px; margin: 12px 8px 0 0 } .wrong { color: #ae2c1a }
`;

/** Text as HTML. */
export function escape(text) {
  return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** A whole page; `body` is HTML. */
export function page(title, body) {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${STYLE}</style></head>
<body><main><h1>${escape(title)}</h1>${body}</main></body></html>
`;
}

/** The sign-in form. `wrong` is set after a password that did not fit. */
export function loginPage({ uid, client, hint, wrong }) {
  return page('Sign in', `
    <p>to go on to <b>${escape(client)}</b></p>
    ${wrong ? '<p class="wrong" role="alert">User name or password is wrong.</p>' : ''}
    <form method="post" action="/interaction/${escape(uid)}" autocomplete="off">
      <input type="hidden" name="prompt" value="login">
      <label>User name <input name="login" value="${escape(hint ?? '')}" required autofocus></label>
      <label>Password <input name="password" type="password" required></label>
      <button type="submit">Sign in</button>
    </form>
    ${cancelForm(uid)}`);
}

/** The consent form. */
export function consentPage({ uid, client, scopes }) {
  return page('Allow access', `
    <p><b>${escape(client)}</b> asks for:</p>
    <ul>${scopes.map((scope) => `<li>${escape(scope)}</li>`).join('')}</ul>
    <form method="post" action="/interaction/${escape(uid)}">
      <input type="hidden" name="prompt" value="consent">
      <button type="submit">Allow</button>
    </form>
    ${cancelForm(uid)}`);
}

function cancelForm(uid) {
  return `<form method="post" action="/interaction/${escape(uid)}/abort"><button type="submit">Cancel</button></form>`;
}

/** Where a person types the code that a device shows. `form` is oidc-provider's; `wrong` says what was wrong before. */
export function userCodePage({ form, wrong }) {
  return page('Connect a device', `
    <p>Enter the code that your device shows.</p>
    ${wrong ? `<p class="wrong" role="alert">${escape(wrong)}</p>` : ''}
    ${form}
    <button type="submit" form="op.deviceInputForm">Continue</button>`);
}

/** Where a person compares the code with the one on the device. */
export function userCodeConfirmPage({ form, client, userCode }) {
  return page('Is this your device?', `
    <p><b>${escape(client)}</b> on a device that shows the code <b>${escape(userCode)}</b> wants to be signed in.</p>
    ${form}
    <button type="submit" form="op.deviceConfirmForm">Continue</button>
    <button type="submit" form="op.deviceConfirmForm" name="abort" value="yes">Cancel</button>`);
}

/** The end of it. */
export function deviceDonePage({ client }) {
  return page('The device is connected', `<p>Go back to <b>${escape(client)}</b>; this page may be closed.</p>`);
}

/** Asks whether to end the session. `form` is oidc-provider's; only `logout=yes` ends it. */
export function signOutPage({ form }) {
  return page('Sign out?', `
    <p>An application asks to end your session here.</p>
    ${form}
    <button type="submit" form="op.logoutForm" name="logout" value="yes">Yes, sign me out</button>
    <button type="submit" form="op.logoutForm">No, stay signed in</button>`);
}

/** The end of it, where the browser is not sent back. */
export function signedOutPage() {
  return page('Signed out', '<p>Your session here has ended.</p>');
}

/** An error of the protocol. */
export function errorPage(out) {
  const lines = Object.entries(out).map(([name, value]) => `<p><b>${escape(name)}</b>: ${escape(value)}</p>`);
  return page('That did not work', lines.join(''));
}
