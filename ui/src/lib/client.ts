/* How a client proves itself, as pure functions, and what each way takes. */
import type { ClientAuthentication, NewProvider, RevocationWay } from './backend/backend';

/** What the person chooses; empty is as usual: as the profile has it, or by a secret where there is one. */
export type Proof = '' | ClientAuthentication;

/** Ways for a client that is brought, in the order in which they are offered. */
export const PROOFS: readonly ClientAuthentication[] = [
  'none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'tls_client_auth',
];
/** Ways for a client that the provider registers: one with a key of its own is registered by hand. */
export const REGISTERED_PROOFS: readonly ClientAuthentication[] = PROOFS.slice(1, 4);

export const takesSecret = (how: Proof): boolean => how.startsWith('client_secret_');
export const takesKey = (how: Proof): boolean => how === 'private_key_jwt' || how === 'tls_client_auth';
/** Whether the client signs a statement, which is meant for somebody. */
export const signs = (how: Proof): boolean => how === 'private_key_jwt' || how === 'client_secret_jwt';

export const WAYS: readonly RevocationWay[] = ['rfc7009', 'google', 'github', 'github_grant', 'slack', 'dropbox', 'microsoft_graph', 'none'];

/** Whether nobody but a person can say where the call is made. */
export const needsAddress = (way: '' | RevocationWay): boolean => !['', 'rfc7009', 'google', 'none'].includes(way);

/** The part of a request that says which client it is. What is secret in it was taken out of the form before. */
export interface ClientForm {
  registers: boolean;
  id: string;
  how: Proof;
  /** Typed or pasted: a secret, a key, or what allows to register. */
  secret: string;
  /** Where the key is, when it was chosen as a file. */
  keyPath: string;
  audience: string;
}

export function clientPart({ registers, id, how, secret, keyPath, audience }: ClientForm): Partial<NewProvider> {
  const typed = secret.trim();
  const said = how ? { client_authentication: how } : {};
  if (registers) return { register: true, ...said, ...(typed ? { initial_access_token: typed } : {}) };
  const proof = takesKey(how) && keyPath.trim() ? { client_secret_path: keyPath.trim() } : typed && how !== 'none' ? { client_secret: typed } : {};
  return { client_id: id.trim(), ...said, ...proof, ...(signs(how) && audience.trim() ? { assertion_audience: audience.trim() } : {}) };
}
