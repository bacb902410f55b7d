/* The sentences about clients: whose they are, how they prove themselves, how their tokens end. The rules of words.ts hold. */
import type { ClientAuthentication, ErrorBody, RevocationWay } from './backend/backend';
import { clean, OWN_TEXT_MAX } from './text';
import { explain, type Failure } from './words';

export const client = {
  whose: 'The client',
  brought: 'I have a client ID',
  registers: 'Register Holdfast there',
  registersText: (name: string) =>
    `Holdfast asks ${name} for a client of its own, and keeps what it gives. Not every service does this; one that does not says so, and nothing is kept.`,
  allowed: 'Initial access token',
  showAllowed: 'Show initial access token',
  allowedText: 'Only where not everybody may register a client. It is used once. This window forgets it with the press that sends it.',
  allowedAgain: 'The token was sent and forgotten. Enter it again, or leave it out.',
  how: 'How the client proves itself',
  howText: 'As the service says it for this client.',
  howRegistered: 'What is asked for. The service may decide otherwise, and Holdfast keeps what it decides.',
  usual: 'As usual: by a secret if it has one',
  usualThere: 'As usual for this service',
  usualRegistered: 'Not at all: a public client',
  ways: {
    none: 'Not at all: a public client',
    client_secret_basic: 'By a secret in a header',
    client_secret_post: 'By a secret in the request',
    client_secret_jwt: 'By a statement that a secret signs',
    private_key_jwt: 'By a statement that a private key signs',
    tls_client_auth: 'By a certificate',
  } satisfies Record<ClientAuthentication, string>,
  key: 'Private key',
  certificate: 'Certificate and private key',
  showKey: 'Show key',
  keyText: 'PKCS #8 in PEM (BEGIN PRIVATE KEY), without a passphrase: RSA, P-256, P-384 or Ed25519. Register its public half at the service.',
  certificateText: 'Both in PEM, one after the other. The key is PKCS #8 without a passphrase.',
  keyForgets: 'This window forgets what you paste with the press that sends it, and never sees what is in a file: the vault process opens that.',
  keyAgain: 'The key was sent and forgotten. Give it again.',
  choose: 'Choose…',
  path: 'Or a file that holds it: ~/keys/key.pem',
  pathWrong: 'The path has to begin with / or with ~/.',
  audience: 'For whom its statements are meant',
  audienceText: 'Leave it empty for the token endpoint. Some services want their issuer here.',
};

export const revocation = {
  how: 'How tokens are revoked',
  howText: 'What the metadata of the service says, unless it is one of these.',
  usual: 'As the service says (RFC 7009)',
  usualThere: 'As known of this service',
  at: 'Address of that call',
  atText: 'Not in any metadata, so it is needed here. Slack, for example, has https://slack.com/api/auth.revoke.',
  ways: {
    rfc7009: 'Each token by itself (RFC 7009)',
    google: 'Google: the whole grant',
    github: 'GitHub: the access token alone',
    github_grant: 'GitHub: all that the client got',
    slack: 'Slack: the access token alone',
    dropbox: 'Dropbox: both tokens',
    microsoft_graph: 'Microsoft Graph: every session',
    none: 'Not at all',
  } satisfies Record<RevocationWay, string>,
  /** What is told of each way where nobody wrote a sentence of its own. */
  ends: {
    rfc7009: 'Holdfast asks the service to end the refresh token, then the access token.',
    google: 'One call ends the whole grant of this client, on other computers too.',
    github: 'One call ends this access token. A refresh token may live on.',
    github_grant: 'One call ends all that this client got for you, on other computers too.',
    slack: 'One call ends this access token.',
    dropbox: 'One call ends the access token and its refresh token.',
    microsoft_graph: 'One call ends every session of yours there, with every program. Access tokens live on until they end.',
    none: 'No program can end them there. Only you can, on its page; otherwise they end by themselves.',
  } satisfies Record<RevocationWay, string>,
};

export const about = {
  open: (name: string) => `About ${name}`,
  gone: 'This service is not in the list any more',
  goneText: 'It was removed, in this window or from the command line.',
  client: 'Client',
  clientId: 'Client ID',
  how: 'Proves itself',
  audience: 'Statements for',
  registered: 'Registered by Holdfast',
  secretEnds: 'Its secret ends',
  never: 'Never, as far as the service says',
  redirect: 'Redirect URI',
  anyPort: 'Any free port of this computer',
  bound: 'Tokens',
  boundText: 'Bound to a key of each account (DPoP)',
  scopes: 'Scopes',
  ending: 'Ending access',
  way: 'Revocation',
  endpoint: 'Address of the call',
  byHand: 'You can end it at',
  issuer: 'Issuer',
  profile: 'Profile',
  from: 'From',
  origins: { added: 'The vault', file: 'A file of the administrator' },
  signIn: 'Sign in',
  anew: 'Register a new client',
  ends: (when: string) => `The secret of this client ends: ${when}`,
  ended: (when: string) => `The secret of this client has ended: ${when}`,
  endsText: 'Nothing is renewed there after that. Register a new client under another name, sign in there, and remove this one.',
  strip: (name: string) => `The client at ${name} comes to its end.`,
  stripEnded: (name: string) => `The client at ${name} has ended.`,
  stripText: 'Register a new one, so that your accounts there go on.',
  look: 'Look',
};

/** A registration that did not come about, in the words of this window: the agent's hint names options of the command line. */
export function explainRegistration(error: ErrorBody): Failure {
  const plain = explain(error);
  const you = ({
    endpoint_missing: 'Register a client there by hand, and choose “I have a client ID”.',
    invalid_client: 'Ask its administrator for an initial access token, or register a client by hand.',
  } as Record<string, string>)[error.code];
  return you === undefined ? plain : { ...plain, what: clean(error.message, OWN_TEXT_MAX) || plain.what, you };
}
