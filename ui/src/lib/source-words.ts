/* The sentences about accounts that nobody signs in to. The rules of words.ts hold. */
import type { AddedFrom } from './backend/backend';

export type Kind = AddedFrom['is'];
export const KINDS: readonly Kind[] = ['client_credentials', 'token_exchange', 'jwt_bearer'];

export const source = {
  title: 'An account that nobody signs in to',
  provider: 'Provider',
  providerText: 'Who gives the tokens. Its client ID and what proves it are known already.',
  kind: 'What its tokens are made from',
  kinds: {
    client_credentials: 'The client itself',
    token_exchange: 'Another account’s token',
    jwt_bearer: 'A statement that a key signs',
  } satisfies Record<Kind, string>,
  kindTexts: {
    client_credentials: 'The client proves itself with its secret or key, and gets a token of its own.',
    token_exchange: 'That account’s token is sent to this provider, which gives another one for it.',
    jwt_bearer: 'Holdfast signs for whom it asks. The key is sealed in the vault with the account.',
  } satisfies Record<Kind, string>,
  public: 'The client of this provider proves itself with nothing, so it gets no tokens of its own. Add the provider with a secret or a key.',
  parent: 'Account whose token is exchanged',
  noParents: 'There is no account yet whose token could be exchanged.',
  choose: 'Choose one',
  key: 'Private key',
  showKey: 'Show key',
  keyText: 'PKCS #8 in PEM (BEGIN PRIVATE KEY), without a passphrase. This window forgets it with the press that sends it.',
  keyAgain: 'The key was sent and forgotten. Give it again.',
  issuer: 'Who states it',
  subject: 'On whose behalf',
  subjectText: 'The person or service that the tokens are for. Empty for the client itself.',
  meantFor: 'For whom the statement is meant',
  keyId: 'Name of the key',
  keyIdText: 'What the service calls it, if it has several.',
  label: 'Name of the account',
  labelText: 'Empty for the provider’s name.',
  scopes: 'Scopes',
  scopesText: 'What the tokens shall be good for, with spaces between. Empty for what the provider gives.',
  audience: 'Audience',
  resource: 'Resource address',
  placeText: 'Who shall accept the tokens, by name or by address. Most providers want neither.',
  steps: [
    'Holdfast asks the provider for the first token. Without one it keeps nothing.',
    'It renews the token before its end, without anybody signing in.',
    'Signing out revokes the token where the provider can, and deletes what it was made from here.',
  ],
  more: 'More options',
  add: 'Get the first token',
  adding: 'Asking for the first token',
  cancel: 'Cancel',
  added: (name: string) => `${name} has its first token`,
};
