// An OpenID provider on loopback: oidc-provider with users, pages, and a door for tests.
// Prints one line of JSON with its issuer when it is ready.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

import Provider from 'oidc-provider';

import { configuration } from './configuration.mjs';
import { control } from './control.mjs';
import { meetFault, patchAnswer } from './faults.mjs';
import { registerGrants } from './grants.mjs';
import { interact } from './interactions.mjs';
import { noteFault, noteOAuth } from './journal.mjs';
import { makeKeys } from './keys.mjs';
import { renewNonces } from './nonces.mjs';
import { keepPace } from './pace.mjs';
import { settings } from './settings.mjs';
import { noteIssued } from './store.mjs';

let keys = makeKeys();
let provider;
let serve;

function setUp(issuer) {
  provider = new Provider(issuer, configuration(keys));
  registerGrants(provider);
  provider.use(async (ctx, next) => {
    await next();
    keepPace(ctx);
    noteOAuth(ctx);
    noteIssued(ctx);
    patchAnswer(ctx);
  });
  provider.on('server_error', (_ctx, error) => console.error(error));
  serve = provider.callback();
}

async function answer(req, res) {
  const path = req.url.split('?')[0];
  if (path.startsWith('/_ctl/')) {
    return control(path, req, res, {
      rotateKeys: (keepOld) => {
        keys = keepOld ? [...makeKeys(), ...keys] : makeKeys();
        setUp(provider.issuer);
      },
      renewNonces: () => {
        renewNonces();
        setUp(provider.issuer);
      },
    });
  }
  const met = await meetFault(path, req, res);
  if (met) return noteFault(path, met);
  if (path.startsWith('/interaction/')) return interact(provider, req, res);
  return serve(req, res);
}

function listen(req, res) {
  answer(req, res).catch((error) => {
    if (res.headersSent) return req.socket.destroy();
    // A page whose cookie is gone, or a control request that is no JSON.
    res.writeHead(400, { 'content-type': 'application/json' });
    return res.end(JSON.stringify({ error: error.name, error_description: error.message }));
  });
}

const server = http.createServer(listen);

server.on('error', (error) => {
  console.error(`the identity provider cannot listen on 127.0.0.1:${settings.port}: ${error.message}`);
  process.exit(1);
});

function ready(issuer) {
  setUp(issuer);
  process.stdout.write(`${JSON.stringify({ issuer, plain: `http://127.0.0.1:${server.address().port}` })}\n`);
}

server.listen(settings.port, '127.0.0.1', () => {
  if (!settings.tls) return ready(`http://127.0.0.1:${server.address().port}`);
  const identity = { key: readFileSync(settings.tls.key), cert: readFileSync(settings.tls.cert) };
  const secure = https.createServer(identity, listen);
  return secure.listen(0, '127.0.0.1', () => ready(`https://127.0.0.1:${secure.address().port}`));
});

for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
if (settings.exitWithStdin) process.stdin.resume().on('end', () => process.exit(0));
