import { expect, it } from 'vitest';
import type { ErrorCode, SignOutOutcome, SignOutReport } from './backend/backend';
import type { RevocationResult } from './generated/RevocationResult';
import codeSource from './generated/ErrorCode.ts?raw';
import { explain, explainReason, explainTrouble, signOutSummary, signOutText } from './words';
import careSource from './care-words.ts?raw';
import failureSource from './failures.ts?raw';
import importSource from './import-words.ts?raw';
import serviceSource from './service-words.ts?raw';
import standingSource from './standing-words.ts?raw';
import wordSource from './words.ts?raw';

const views = import.meta.glob<string>('../views/*.svelte', { query: '?raw', import: 'default', eager: true });
const codes = [...codeSource.matchAll(/"([a-z_]+)"/g)].map(
  ([, code]) => code as ErrorCode,
);

it('has a title, what Holdfast did and what to do for every code of the wire', () => {
  expect(codes.length).toBeGreaterThan(50);
  for (const code of codes) {
    const said = explain({ code, message: '', hint: null });
    expect(said.code.endsWith(code), code).toBe(true);
    for (const part of [said.title, said.what, said.did, said.you]) expect(part.length, code).toBeGreaterThan(5);
  }
});

it('prefers what the agent says happened, made fit to be shown', () => {
  const said = explain({ code: 'access_denied', message: 'user is\u202E not assigned', hint: 'Ask Ada.' });
  expect(said.what).toBe('user is\uFFFD not assigned');
  expect(said.you).toBe('Ask Ada.');
});

it('shows the reason after a long path, and what to do after it', () => {
  const message = `/srv/mara/${'folder/'.repeat(40)}list.csv cannot be read: it is a folder. Nothing of it was imported.`;
  const said = explain({ code: 'import_invalid', message, hint: `Correct that place of ${'x'.repeat(200)}, then try again.` });
  expect(said.what.endsWith('it is a folder. Nothing of it was imported.')).toBe(true);
  expect(said.you.endsWith('then try again.')).toBe(true);
  expect(explain({ code: 'import_invalid', message: 'x'.repeat(5_000), hint: null }).what.length).toBeLessThan(700);
});

it('explains codes that join later as the agent words them', () => {
  const said = explain({ code: 'new_code' as ErrorCode, message: 'Something new.', hint: null });
  expect(said).toMatchObject({ what: 'Something new.', code: 'new_code' });
});

it('explains reasons, also those of the prototype chain', () => {
  const now = Date.UTC(2026, 4, 14, 13, 58, 20);
  const said = explainReason({ code: 'refused', text: 'Session not active.', at: now - 44 * 60_000 }, now);
  expect(said).toMatchObject({ title: 'The provider ended this session', what: 'Today 13:14: Session not active.' });
  expect(explainReason({ code: 'constructor', text: 'x', at: null }, now).title.length).toBeGreaterThan(5);
});

it('says of one damaged token that it is one, and that signing in again mends it', () => {
  const said = explainTrouble({ code: 'vault_damaged', text: 'The renewal did not begin.' });
  expect(said).toMatchObject({ what: 'The renewal did not begin.', code: 'HF-VAULT-11 · vault_damaged' });
  expect(said.title).not.toBe(explain({ code: 'vault_damaged', message: '', hint: null }).title);
  expect(said.you).toMatch(/^Sign in again, or restore a backup\./);
  expect(explainTrouble({ code: 'vault_damaged', text: '' }).what).toBe(`${said.title}.`);
  expect(explainTrouble({ code: 'provider_unreachable', text: 'x' })).toEqual(
    explain({ code: 'provider_unreachable', message: 'x', hint: null }));

  const reason = (code: string) => explainReason({ code, text: '', at: null }, 0);
  expect(reason('unreadable').you).toMatch(/^Sign in again/);
  expect(reason('unreadable').did).toContain('Does not use that token');
  expect(reason('no_refresh_token').did).toContain('Holdfast has no refresh token for it.');
});

it('keeps to the rules of writing: no blame, no exclamation marks, no dashes, short sentences', () => {
  const source = (wordSource + failureSource + standingSource + careSource + importSource + serviceSource).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const texts = [...source.matchAll(/'((?:[^'\\\n]|\\.)*)'|`([^`]*)`/g)].map(([, a, b]) => a ?? b ?? '').filter((text) => /\s/.test(text));
  expect(texts.length).toBeGreaterThan(200);
  for (const text of texts) {
    expect(text, text).not.toMatch(/!|\bplease\b|\boops\b|\binvalid\b|—|–/i);
    for (const sentence of text.replace(/\$\{[^}]*\}/g, 'x').split(/[.?:]\s/)) {
      expect(sentence.split(/\s+/).length, sentence).toBeLessThanOrEqual(26);
    }
  }
});

it('keeps every sentence out of the views', () => {
  expect(Object.keys(views).length).toBeGreaterThan(10);
  for (const [file, whole] of Object.entries(views)) {
    const source = whole.replace(/<script[\s\S]*?<\/script>|<!--[\s\S]*?-->/g, '');
    const loose = source.replace(/\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}/g, '').match(/>[^<>]*[A-Za-z]{3,} [A-Za-z]{3,}[^<>]*</g);
    expect(loose ?? [], file).toEqual([]);
  }
});

const token = (kind: string, outcome: SignOutOutcome, more: Partial<RevocationResult> = {}): RevocationResult => ({
  token: kind, outcome, detail: null, still_valid_until: null, ...more,
});

it('sums up a sign-out honestly', () => {
  const report = (outcome: SignOutReport['outcome']) => ({ outcome }) as SignOutReport;
  expect(signOutSummary([report('revoked'), report('revoked')])).toBe('2 of 2 are ended at the provider too.');
  expect(signOutSummary([report('revoked'), report('ended_here_only'), report('queued'), report('nothing_to_revoke')])).toBe(
    '1 of 4 is ended at the provider too. 1 had nothing to revoke. 1 could only be ended here. 1 is still to be confirmed.',
  );
});

it('says for one account what ended, and until when something may still work', () => {
  const now = Date.UTC(2026, 4, 14, 13, 58, 20);
  const report = (more: Partial<SignOutReport>): SignOutReport => ({
    account: 'a', label: 'A', provider: 'p', outcome: 'revoked', still_valid_until: null, end_it_at: null, effect: null, browser: null, tokens: [], text: '', ...more,
  });
  expect(signOutText(report({}), now)).toBe('The provider confirmed it. Nothing of it works any more.');
  const until = new Date(now + 12 * 60_000).toISOString();
  const here = report({ outcome: 'ended_here_only', still_valid_until: until });
  expect(signOutText(here, now)).toMatch(/^Deleted here\. .* works until today 14:10\.$/);
  const session = { ...here, tokens: [token('refresh_token', 'revoked')] };
  expect(signOutText(session, now)).toMatch(/^The provider ended the session\./);
  expect(signOutText(report({ outcome: 'queued' }), now)).toContain('tries again');
});

it('says of a sign-out why it was refused, what the provider ends by it, and where only its person can end it', () => {
  const now = Date.UTC(2026, 4, 14, 13, 58, 20);
  const until = new Date(now + 12 * 60_000).toISOString();
  const report = (more: Partial<SignOutReport>): SignOutReport => ({
    account: 'a', label: 'A', provider: 'p', outcome: 'ended_here_only', still_valid_until: null, end_it_at: null, effect: null, browser: null, tokens: [], text: '', ...more,
  });
  const page = 'https://forge.example/settings/apps';
  const refused = report({ end_it_at: page, tokens: [token('access_token', 'ended_here_only', { detail: 'It does not know this client.' })] });
  expect(signOutText(refused, now)).toBe(`Deleted here. It does not know this client. Only you can end what is left there, at ${page}.`);
  const unknown = report({
    end_it_at: page, still_valid_until: until,
    tokens: [token('refresh_token', 'ended_here_only'), token('access_token', 'ended_here_only', { still_valid_until: until })],
  });
  expect(signOutText(unknown, now)).toMatch(/The access token works until today 14:10; when the refresh token ends is not known\.$/);
  const alone = report({ end_it_at: page, tokens: [token('refresh_token', 'ended_here_only'), token('access_token', 'revoked')] });
  expect(signOutText(alone, now)).toBe(`The provider ended the access token. The refresh token is deleted here only. Only you can end what is left there, at ${page}.`);
  const grant = report({ outcome: 'revoked', effect: 'The whole grant ends\u202e at once.' });
  expect(signOutText(grant, now)).toBe('The provider confirmed it. The whole grant ends\uFFFD at once.');
  expect(signOutText(report({ outcome: 'queued', end_it_at: page }), now)).toContain(`end it at ${page}.`);
});
