// The tests' own door, `/_ctl/...`: JSON in, JSON out.

import { readJson } from './body.mjs';
import { clientKeys } from './client_keys.mjs';
import { clearFaults, orderFault, pendingFaults } from './faults.mjs';
import { forget, journal } from './journal.mjs';
import { issuedTokens, tokens } from './store.mjs';
import { addUser, disableUser } from './users.mjs';

function json(res, status, value) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(value));
}

/** Answers a control request. `rotateKeys(keepOld)` and `renewNonces()` belong to the server. */
export async function control(path, req, res, { rotateKeys, renewNonces }) {
  const order = await readJson(req);
  switch (path) {
    case '/_ctl/log':
      return json(res, 200, { log: journal() });
    case '/_ctl/forget-log':
      forget();
      return json(res, 200, {});
    case '/_ctl/state':
      return json(res, 200, { tokens: tokens(), faults: pendingFaults() });
    case '/_ctl/issued':
      return json(res, 200, { tokens: issuedTokens() });
    case '/_ctl/fault':
      orderFault(order);
      return json(res, 200, {});
    case '/_ctl/clear-faults':
      clearFaults();
      return json(res, 200, {});
    case '/_ctl/add-user':
      addUser(order);
      return json(res, 200, {});
    case '/_ctl/disable':
      return disableUser(order.user) ? json(res, 200, {}) : json(res, 404, { error: 'no such user' });
    case '/_ctl/client-keys':
      return json(res, 200, { keys: clientKeys() });
    case '/_ctl/renew-nonces':
      renewNonces();
      return json(res, 200, {});
    case '/_ctl/rotate-keys':
      rotateKeys(order.keepOld !== false);
      return json(res, 200, {});
    default:
      return json(res, 404, { error: 'no such control' });
  }
}
