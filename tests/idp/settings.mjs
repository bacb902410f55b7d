// What the environment says. Lifetimes are whole seconds.

function seconds(name, otherwise) {
  const text = process.env[name];
  if (text === undefined || text === '') return otherwise;
  if (!/^[1-9][0-9]*$/.test(text)) throw new Error(`${name} must be a whole number of seconds above 0, not "${text}"`);
  return Number(text);
}

function oneOf(name, words) {
  const word = process.env[name] || words[0];
  if (!words.includes(word)) throw new Error(`${name} must be one of ${words.join(', ')}, not "${word}"`);
  return word;
}

const DAY = 86_400;

export const settings = {
  /** Port on 127.0.0.1; 0 takes a free one. */
  port: Number(process.env.PORT || 0),
  accessToken: seconds('AT_TTL', 3600),
  idToken: seconds('ID_TTL', 3600),
  code: seconds('CODE_TTL', 60),
  deviceCode: seconds('DEVICE_TTL', 600),
  /** How far apart a device's questions for its token have to be (RFC 8628 section 3.5). */
  deviceInterval: seconds('DEVICE_INTERVAL', 5),
  /** Tokens of clients that act for themselves. */
  clientCredentials: seconds('CC_TTL', 600),
  /** The sliding window: every rotated refresh token lives this long. */
  refreshSliding: seconds('RT_TTL', 14 * DAY),
  /** The absolute limit of a chain of refresh tokens, from the sign-in on. */
  refreshAbsolute: seconds('RT_ABS_TTL', 90 * DAY),
  session: seconds('SESSION_TTL', 14 * DAY),
  grant: seconds('GRANT_TTL', 120 * DAY),
  /** `default` is the library's own rule. */
  rotate: oneOf('ROTATE', ['always', 'never', 'default']),
  /** Consent is given without a page. */
  autoConsent: process.env.AUTO_CONSENT === '1',
  /** Authorization requests can be pushed (RFC 9126); then nobody sees them in the browser's address. */
  pushed: process.env.PAR === '1',
  /** Every DPoP proof needs a nonce of this server (RFC 9449 section 8). */
  dpopNonce: process.env.DPOP_NONCE === '1',
  /** Clients register with this initial access token (RFC 7591 section 3); without it anybody may. */
  registrationToken: process.env.REG_TOKEN || false,
  /** Keeps the private keys of the clients from one start to the next; without it each start makes new ones. */
  clientKeyFile: process.env.PKJ_KEY_FILE,
  /** Files with a key and a certificate: then the issuer is https, and people come in over plain HTTP as before. */
  tls: process.env.TLS_KEY && { key: process.env.TLS_KEY, cert: process.env.TLS_CERT },
  /** The parent holds our stdin open; when it dies, so do we. */
  exitWithStdin: process.env.EXIT_WITH_STDIN === '1',
};
