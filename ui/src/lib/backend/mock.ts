/*
 * A stand-in for the desktop process: a small agent in memory, without providers, tokens or clocks of its own. It
 * serves tests and work on the views; production builds leave it out (index.ts).
 */
import type {
  AddAccount, AddedAccount, AccountView, Backend, BackupReport, ChangeKey, CheckReport, Connection, DevicePrompt, DraggedFiles, ErrorBody, ErrorCode, Event, ImportedFile, ImportFile, MakeBackup, NewProvider, ProfileView, ProviderView, RemoveDamaged, RestoreVault, SignInView, SignOutReport, Standing, State, Status, UnlockMethod, BrowserSignOutStage, BrowserSignOutView, SignedOutInBrowser,
} from './backend';
import { H, M } from '../time';
import { iso, manyAccounts, outcomes, provider, PROVIDERS, sampleAccounts, sketch } from './mock-accounts';
import { PROFILES } from './mock-profiles';

export { manyAccounts, provider, sampleAccounts, sketch } from './mock-accounts';

/** What a vault shows of itself while it is shut. */
type Shut = Pick<Status['vault'], 'state' | 'unlock' | 'problem' | 'locked_because'>;
/** Events as they are before they get their number. */
type Unnumbered = Event extends infer E ? (E extends { seq: number } ? Omit<E, 'seq'> : never) : never;

export interface MockOptions {
  vault?: 'uninitialised' | 'locked' | 'unlocked';
  unlock?: UnlockMethod;
  problem?: ErrorCode;
  passphrase?: string;
  /** What the vault is once it is open. */
  standing?: Standing;
  behindBy?: number;
  damaged?: CheckReport['damaged'];
  recoveryCode?: string;
  /** Files by their path: what they bring, or why they do not; with a password, only for that. */
  files?: Record<string, { password?: string; brings: ImportedFile | ErrorBody }>;
  /** What the dialog for files answers. */
  chosen?: string[];
  accounts?: AccountView[];
  providers?: ProviderView[];
  /** What is known of services; or why that cannot be said. */
  profiles?: ProfileView[] | ErrorBody;
  connection?: Connection['state'];
  browserOpens?: boolean;
  /** Whether providers have codes for other devices, and such a page with the code in it. */
  codes?: 'complete' | 'plain' | 'none';
  /** The agent's clock; the computer's when missing. */
  now?: () => number;
  /** Milliseconds that slow things take; 0 for tests. */
  pace?: number;
}

export function failure(code: ErrorCode, message: string, hint: string | null = null): ErrorBody {
  return { code, message, hint, retry_after_s: null };
}

export class MockBackend implements Backend {
  accounts: Map<string, AccountView>;
  providers: ProviderView[];
  readonly profiles: ProfileView[] | ErrorBody;
  signIns = new Map<string, SignInView>();
  readonly browsers = new Map<string, BrowserSignOutView>();
  /** How browsers that are to end their session fare. */
  browserEnds: Promise<BrowserSignOutStage> = Promise.resolve('returned');
  /** What was asked, in order: for tests. */
  readonly asked: string[] = [];

  #vault: Shut;
  #passphrase: string;
  #recoveryCode: string | null;
  #standing: Standing;
  readonly #behindBy: number | null;
  #damaged: CheckReport['damaged'];
  readonly #now: () => number;
  readonly #pace: number;
  readonly #browserOpens: boolean;
  readonly #codes: NonNullable<MockOptions['codes']>;
  /** What sign-ins were asked to be called; their views do not say it before they are done. */
  readonly #labels = new Map<string, string>();
  #connection: Connection;
  readonly #files: NonNullable<MockOptions['files']>;
  readonly #chosen: string[];
  #onFiles: ((files: DraggedFiles) => void) | undefined;
  readonly #watchers = new Set<{ seq: number; onEvent: (e: Event) => void; onConnection: (c: Connection) => void }>();

  constructor(options: MockOptions = {}) {
    this.#now = options.now ?? Date.now;
    this.#pace = options.pace ?? 0;
    this.#passphrase = options.passphrase ?? 'correct horse battery staple';
    this.#recoveryCode = options.recoveryCode ?? null;
    this.#standing = options.standing ?? 'current';
    this.#behindBy = options.behindBy ?? null;
    this.#damaged = options.damaged ?? [];
    this.#files = options.files ?? {};
    this.#chosen = options.chosen ?? [];
    this.#browserOpens = options.browserOpens ?? true;
    this.#codes = options.codes ?? 'complete';
    this.#connection = { state: options.connection ?? 'connected' };
    const state = options.vault ?? 'unlocked';
    this.#vault = {
      state, unlock: state === 'uninitialised' ? null : (options.unlock ?? 'either'),
      problem: options.problem ? failure(options.problem, MESSAGES[options.problem] ?? 'Something is wrong with the vault.') : null,
      locked_because: null,
    };
    this.accounts = new Map((options.accounts ?? []).map((account) => [account.id, account]));
    this.providers = options.providers ?? PROVIDERS;
    this.profiles = options.profiles ?? PROFILES;
  }

  /** For `vite dev`: `?vault=locked&unlock=keyring&problem=keyring_locked&standing=older&damaged&n=300&connection=lost&browser=no&codes=none`. */
  static fromAddress(query: URLSearchParams): MockBackend {
    const n = Number(query.get('n') ?? 15);
    const options: MockOptions = {
      vault: (query.get('vault') as MockOptions['vault']) ?? 'unlocked',
      accounts: n === 0 ? [] : n <= 15 ? sampleAccounts(Date.now()) : manyAccounts(Date.now(), n),
      connection: (query.get('connection') as Connection['state'] | null) ?? 'connected',
      browserOpens: query.get('browser') !== 'no',
      codes: (query.get('codes') as MockOptions['codes'] | null) ?? 'complete',
      pace: Number(query.get('pace') ?? 700),
    };
    if (query.has('standing')) Object.assign(options, { standing: query.get('standing'), behindBy: 12 });
    if (query.has('damaged')) {
      options.damaged = (['changed', 'missing', 'older', 'unknown', 'stray', 'changed'] as const).map((what, i) => (
        { table: ['credentials', 'accounts', 'providers', 'audit', 'credentials', 'keyslots'][i] ?? '', record: `0198-${i}f21`, what, text: '', ...(i === 5 ? { keyslot: 'passphrase' as const } : {}) }));
    }
    if (query.has('unlock')) options.unlock = query.get('unlock') as UnlockMethod;
    if (query.has('problem')) options.problem = query.get('problem') as ErrorCode;
    const backend = new MockBackend(options);
    Object.assign(globalThis, { mock: backend });
    return backend;
  }

  // ---- what tests and the console may do to it ----

  setConnection(connection: Connection): void {
    this.#connection = connection;
    for (const watcher of this.#watchers) watcher.onConnection(connection);
  }

  lock(because: NonNullable<Status['vault']['locked_because']>): void {
    this.#setVault({ ...this.#vault, state: 'locked', locked_because: because });
  }

  drag(files: DraggedFiles): void {
    this.#onFiles?.(files);
  }

  change(id: string, changes: Partial<AccountView>): void {
    const before = this.accounts.get(id);
    if (!before) return;
    const account = { ...before, ...changes, revision: before.revision + 1 };
    this.accounts.set(id, account);
    this.#send({ type: 'account_changed', account });
  }

  put(account: AccountView): void {
    this.accounts.set(account.id, account);
    this.#send({ type: 'account_changed', account });
  }

  finishSignIn(id: string): void {
    const signIn = this.signIns.get(id);
    if (!signIn) return;
    const of = this.providers.find(({ name }) => name === signIn.provider);
    const called = this.#labels.get(id);
    const again = [...this.accounts.values()].find(({ label }) => label === called);
    const account = {
      ...sketch(this.#now(), { label: called ?? of?.display_name ?? signIn.provider, provider: signIn.provider, providerName: of?.display_name ?? signIn.provider, issued: 0, renewed: 0, sliding: H, absolute: 8 * H, next: 18 * M, accessEnds: 20 * M }),
      ...(again ? { id: again.id } : {}),
    };
    this.put(account);
    this.#signIn({ ...signIn, stage: 'done', authorization_url: null, device: null, account: account.id, label: account.label });
  }

  failSignIn(id: string, error: ErrorBody, stage: SignInView['stage'] = 'failed'): void {
    const signIn = this.signIns.get(id);
    if (signIn) this.#signIn({ ...signIn, stage, authorization_url: null, device: null, error });
  }

  /** The browser came back, or the code was typed. */
  exchange(id: string): void {
    const signIn = this.signIns.get(id);
    if (signIn) this.#signIn({ ...signIn, stage: 'exchanging', authorization_url: null, device: null });
  }

  status(): Status {
    const open = this.#vault.state === 'unlocked';
    const all = [...this.accounts.values()];
    return {
      version: '0.1.0', api_version: 1, pid: 4121, server_now: iso(this.#now()),
      vault: {
        ...this.#vault, standing: open ? this.#standing : null, damaged: open ? this.#damaged.length : null,
        behind_by: open && this.#standing === 'older' ? this.#behindBy : null,
        has_recovery_code: open ? this.#recoveryCode !== null : null,
      },
      accounts: open ? all.length : null,
      accounts_needing_sign_in: open ? all.filter(({ state }) => state === 'needs_sign_in').length : null,
      queued_revocations: open ? 0 : null,
    };
  }

  // ---- the interface ----

  subscribe(onEvent: (event: Event) => void, onConnection: (connection: Connection) => void): () => void {
    const watcher = { seq: 0, onEvent, onConnection };
    this.#watchers.add(watcher);
    onConnection(this.#connection);
    if (this.#connection.state === 'connected') this.#snapshot(watcher);
    return () => this.#watchers.delete(watcher);
  }

  async initVault(request: { unlock: UnlockMethod; passphrase: string | null }): Promise<void> {
    this.asked.push(`init ${request.unlock}`);
    await this.#slowly();
    if (this.#vault.state !== 'uninitialised') throw failure('vault_exists', 'There is a vault already.');
    this.#setVault({ state: 'unlocked', unlock: request.unlock, problem: null, locked_because: null });
  }

  async unlockVault(request: { passphrase: string | null; recovery_code?: string }): Promise<void> {
    const code = request.recovery_code;
    this.asked.push(`unlock with ${code !== undefined ? 'recovery code' : request.passphrase === null ? 'keyring' : 'passphrase'}`);
    await this.#slowly();
    if (code !== undefined) {
      if (code !== this.#recoveryCode) throw failure('wrong_recovery_code', 'That recovery code does not open this vault. Nothing was changed.');
    } else if (request.passphrase === null) {
      if (this.#vault.problem) throw this.#vault.problem;
    } else if (request.passphrase !== this.#passphrase) {
      throw failure('wrong_passphrase', 'That passphrase does not open this vault. Nothing was changed.', 'Try again.');
    }
    this.#setVault({ ...this.#vault, state: 'unlocked', problem: null, locked_because: null });
  }

  async lockVault(): Promise<void> {
    this.asked.push('lock');
    this.lock('asked');
  }

  async checkVault(): Promise<CheckReport> {
    this.asked.push('check');
    await this.#slowly();
    return {
      whole: this.#damaged.length === 0 && this.#standing === 'current', standing: this.#standing, damaged: this.#damaged, database: [],
      opened: [{ table: 'accounts', records: this.accounts.size }, { table: 'credentials', records: 3 * this.accounts.size }],
    };
  }

  async acceptVault(): Promise<void> {
    this.asked.push('accept');
    await this.#slowly();
    this.#standing = 'current';
    this.#damaged = this.#damaged.filter(({ what }) => what === 'changed');
    this.#setVault(this.#vault);
  }

  async removeDamaged(request: RemoveDamaged): Promise<void> {
    this.asked.push(`remove ${request.record} of ${request.table}`);
    await this.#slowly();
    const left = this.#damaged.filter(({ table, record }) => table !== request.table || record !== request.record);
    if (left.length === this.#damaged.length) throw failure('not_found', 'There is no such damaged record. Nothing was deleted.');
    this.#damaged = left;
    this.#setVault(this.#vault);
  }

  async backupVault(request: MakeBackup): Promise<BackupReport> {
    this.asked.push(`back up to ${request.path}${request.backup_passphrase === null ? '' : ' with its own passphrase'}`);
    await this.#slowly();
    this.#prove(request.passphrase);
    if (request.path.includes('there-already')) throw failure('backup_unusable', 'There is a file of that name already. Nothing was written.');
    return { ...this.#contents(), path: request.path };
  }

  async restoreVault(request: RestoreVault): Promise<BackupReport> {
    this.asked.push(`restore ${request.path} for ${request.unlock}`);
    await this.#slowly();
    if (this.#vault.state !== 'uninitialised') throw failure('vault_exists', 'There is a vault already.');
    if (request.backup_passphrase !== this.#passphrase) throw failure('wrong_passphrase', 'That passphrase does not open the backup. No vault was made.');
    this.#standing = 'restored';
    this.#setVault({ state: 'unlocked', unlock: request.unlock, problem: null, locked_because: null });
    return { ...this.#contents(), path: request.path };
  }

  async changeKey(request: ChangeKey): Promise<void> {
    this.asked.push(`change key to ${request.unlock}${request.new_passphrase === null ? '' : ' with a new passphrase'}`);
    await this.#slowly();
    if (request.recovery_code === null) this.#prove(request.passphrase);
    else if (request.recovery_code !== this.#recoveryCode) throw failure('wrong_recovery_code', 'That recovery code does not open this vault.');
    this.#setVault({ ...this.#vault, state: 'locked', locked_because: null });
    await this.#slowly();
    this.#passphrase = request.new_passphrase ?? this.#passphrase;
    this.#recoveryCode = null;
    this.#setVault({ ...this.#vault, state: 'unlocked', unlock: request.unlock ?? this.#vault.unlock });
  }

  async makeRecoveryCode(request: { passphrase: string | null }): Promise<string> {
    this.asked.push('make recovery code');
    await this.#slowly();
    this.#prove(request.passphrase);
    this.#recoveryCode = ['K4QZ', 'T7MA', '2XWB', 'LR5D', 'N3VE', 'J6PC', 'H2SY', 'F5GU'].join('-');
    this.#setVault(this.#vault);
    return this.#recoveryCode;
  }

  async copyRecoveryCode(): Promise<boolean> {
    this.asked.push('copy recovery code');
    return true;
  }

  followFiles(onFiles: (files: DraggedFiles) => void): () => void {
    this.#onFiles = onFiles;
    return () => (this.#onFiles = undefined);
  }

  async chooseFiles(): Promise<string[]> {
    this.asked.push('choose files');
    return this.#chosen;
  }

  async importFile({ path, password }: ImportFile): Promise<ImportedFile> {
    this.asked.push(`import ${path}${password === null ? '' : ' with a password'}`);
    await this.#slowly();
    const file = this.#files[path];
    if (!file) throw failure('import_invalid', `${path} cannot be read: there is no such file. Nothing of it was imported.`, 'Name a file of text that you may read, from / on.');
    if (file.password !== undefined && file.password !== password) throw failure('import_wrong_password', 'That password does not open the file.');
    if ('code' in file.brings) throw file.brings;
    return file.brings;
  }

  async listProfiles(): Promise<ProfileView[]> {
    if ('code' in this.profiles) throw this.profiles;
    return this.profiles;
  }

  async openRegistration(profile: string, variables: Record<string, string>): Promise<boolean> {
    this.asked.push([`open the registration of ${profile}`, ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)].join(' '));
    return this.#browserOpens;
  }

  async addProvider(request: NewProvider): Promise<void> {
    this.asked.push(`add provider ${request.name}`);
    await this.#slowly();
    const known = 'code' in this.profiles ? undefined : this.profiles.find(({ name }) => name === request.profile);
    if (request.profile && !known) throw failure('not_found', `There is no profile ${request.profile}. Nothing was kept.`);
    const values = { ...Object.fromEntries((known?.variables ?? []).map(({ name, default: usual }) => [name, usual ?? ''])), ...request.variables };
    const issuer = request.issuer ?? (known?.issuer ?? '').replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '');
    if (issuer.includes('nowhere')) {
      throw failure('provider_host_not_found', `${new URL(issuer).host} does not exist. Nothing was kept.`);
    }
    const added: ProviderView = {
      ...provider(request.name, request.display_name ?? known?.display_name ?? request.name), issuer, client_id: request.client_id ?? 'registered-1',
      client_authentication: request.client_authentication ?? (request.client_secret ? 'client_secret_basic' : 'none'),
      ...(request.register ? { registered_at: iso(this.#now()) } : {}), ...(request.revocation ? { revocation: request.revocation } : {}),
      profile: request.profile ?? null, origin: 'added',
    };
    this.providers = [...this.providers, added];
    this.#send({ type: 'provider_changed', provider: added });
  }

  async addAccount({ provider: at, label, source }: AddAccount): Promise<AddedAccount> {
    this.asked.push(`add ${label ?? 'an account'} at ${at} by ${source.is}`);
    await this.#slowly();
    const made = sketch(this.#now(), { label: label ?? at, provider: at, issued: 0, renewed: 0, accessEnds: 5 * M, refreshToken: false });
    const account = { ...made, source: source.is, window_closes_at: null, absolute_expires_at: null, effective_end: null };
    this.accounts.set(account.id, account);
    this.#send({ type: 'account_changed', account });
    return { account, replaced: false };
  }

  async startSignIn(request: { provider: string; label: string | null; scopes: string[]; device?: boolean }) {
    this.asked.push(`sign in ${request.provider}${request.label ? ` as ${request.label}` : ''}${request.device ? ' by code' : ''}`);
    const of = this.providers.find(({ name }) => name === request.provider);
    if (!of && ![...this.accounts.values()].some(({ provider: name }) => name === request.provider)) {
      throw failure('provider_not_found', `There is no provider “${request.provider}”.`);
    }
    if (request.device) {
      await this.#slowly();
      if (this.#codes === 'none') throw failure('endpoint_missing', `${of?.issuer ?? 'The provider'} has no device_authorization_endpoint.`);
    }
    const now = this.#now();
    const signIn: SignInView = {
      id: `sign-in-${this.signIns.size + 1}`, provider: request.provider, stage: 'waiting', authorization_url: null,
      device: request.device ? this.#prompt(of) : null, redirect_uri: request.device ? null : 'http://127.0.0.1:49213/callback', notices: [],
      started_at: iso(now), expires_at: iso(now + (request.device ? 15 : 10) * M), account: null, label: null, error: null,
    };
    if (request.label !== null) this.#labels.set(signIn.id, request.label);
    this.#signIn(signIn);
    return { sign_in: signIn, browser_opened: !request.device && this.#browserOpens };
  }

  async openSignIn(id: string): Promise<boolean> {
    this.asked.push(`open ${id}`);
    return this.#browserOpens;
  }

  async copySignInLink(id: string): Promise<boolean> {
    this.asked.push(`copy ${id}`);
    return true;
  }

  async cancelSignIn(id: string): Promise<void> {
    this.asked.push(`cancel ${id}`);
    const signIn = this.signIns.get(id);
    if (signIn) this.#signIn({ ...signIn, stage: 'cancelled', device: null });
  }

  async refreshAccount(id: string): Promise<void> {
    this.asked.push(`refresh ${id}`);
    const account = this.#known(id);
    if (account.state === 'needs_sign_in') throw failure('needs_sign_in', 'Only you can go on with this account.', 'Sign in again.');
    this.change(id, { state: 'refreshing' });
    await this.#slowly();
    const now = this.#now();
    this.change(id, {
      state: 'fresh', trouble: null, access_expires_at: iso(now + 20 * M),
      next: { at: iso(now + 18 * M), action: 'renew', why: 'the access token is near its end' },
      credentials: account.credentials.map((credential) => credential.kind === 'id_token' ? credential : {
        ...credential, last_used_at: iso(now), generation: credential.generation + 1,
        ...(credential.kind === 'access_token' ? { absolute_expires_at: iso(now + 20 * M), effective_end: iso(now + 20 * M) } : {}),
      }),
    });
  }

  async revokeAccount(id: string): Promise<SignOutReport> {
    this.asked.push(`revoke ${id}`);
    this.#known(id);
    await this.#slowly();
    return this.#end(id, 'revoked');
  }

  async signOutAccount(id: string): Promise<SignOutReport> {
    this.asked.push(`sign out ${id}`);
    this.#known(id);
    await this.#slowly();
    return this.#end(id, 'signed_out');
  }

  async signOutInBrowser(id: string): Promise<SignedOutInBrowser> {
    this.asked.push(`sign out in the browser ${id}`);
    const { issuer, provider } = this.#known(id);
    await this.#slowly();
    const report = this.#end(id, 'signed_out');
    if (!report.browser?.can_be_ended) {
      const message = 'The provider has no page that ends the session of a browser from here.';
      const error = { code: 'endpoint_missing' as const, message, hint: 'Sign out there yourself, in your browser.', retry_after_s: null };
      return { reply: { report, browser: null, error }, browser_opened: false };
    }
    const browser: BrowserSignOutView = {
      id: `b-${id}`, provider, at: new URL(issuer).host, stage: 'waiting', url: null, comes_back: true, expires_at: iso(this.#now() + 2 * M),
    };
    this.browsers.set(browser.id, browser);
    return { reply: { report, browser, error: null }, browser_opened: true };
  }

  async browserSignOut(id: string): Promise<BrowserSignOutView> {
    const browser = this.browsers.get(id);
    if (!browser) throw failure('not_found', 'There is no such browser sign-out.');
    return { ...browser, stage: await this.browserEnds };
  }

  async removeAccount(id: string): Promise<SignOutReport> {
    this.asked.push(`remove ${id}`);
    this.#known(id);
    const report = this.#report(id);
    this.accounts.delete(id);
    this.#send({ type: 'account_removed', id });
    return report;
  }

  async signOutAll(): Promise<SignOutReport[]> {
    this.asked.push('sign out of everything');
    const reports: SignOutReport[] = [];
    for (const { id, state } of [...this.accounts.values()]) {
      if (state === 'signed_out' || state === 'revoked' || state === 'disposed') continue;
      await this.#slowly();
      reports.push(this.#end(id, 'signed_out'));
    }
    return reports;
  }

  // ---- inside ----

  #prove(passphrase: string | null): void {
    if (this.#vault.unlock === 'keyring' || passphrase === this.#passphrase) return;
    throw failure('wrong_passphrase', 'That passphrase does not open this vault. Nothing was changed.', 'Try again.');
  }

  #contents(): Omit<BackupReport, 'path'> {
    const accounts = this.accounts.size;
    return { made_at: iso(this.#now()), accounts, credentials: 3 * accounts, providers: this.providers.length, revocations: 0, audit_lines: 41, left_out: 0 };
  }

  #known(id: string): AccountView {
    const account = this.accounts.get(id);
    if (!account) throw failure('account_not_found', 'There is no such account.');
    return account;
  }

  #report(id: string): SignOutReport {
    const { issuer, label, provider: of } = this.#known(id);
    const outcome = outcomes.get(id) ?? 'revoked';
    const until = outcome === 'ended_here_only' ? iso(this.#now() + 12 * M) : null;
    const text = {
      revoked: 'The provider confirmed it. Both tokens are refused from now on.',
      ended_here_only: `${of} has no revocation address. Deleted here; a copy elsewhere works until it ends by itself.`,
      queued: 'The provider does not answer. The token is kept only to revoke it, and Holdfast tries again.',
      nothing_to_revoke: 'There was nothing to revoke.',
    }[outcome];
    return {
      account: id, label, provider: of, outcome, still_valid_until: until, end_it_at: null, effect: null, text,
      browser: { at: new URL(issuer).host, can_be_ended: outcome === 'revoked' },
      tokens: ['refresh_token', 'access_token'].map((token) => ({ token, outcome, detail: null, still_valid_until: until })),
    };
  }

  #end(id: string, state: State): SignOutReport {
    const report = this.#report(id);
    const at = iso(this.#now());
    this.change(id, {
      state, reason: { code: 'by_user', text: 'You ended it here.', at }, credentials: [], next: null, trouble: null,
      access_expires_at: null, window_closes_at: null, absolute_expires_at: null, effective_end: null, limited_by: null,
    });
    return report;
  }

  #prompt(of: ProviderView | undefined): DevicePrompt {
    const verification_uri = new URL('/device', of?.issuer ?? 'https://login.example').href;
    const complete = this.#codes === 'complete' ? `${verification_uri}?user_code=WDJB-MJHT` : null;
    return { verification_uri, verification_uri_complete: complete, user_code: 'WDJB-MJHT' };
  }

  #signIn(signIn: SignInView): void {
    this.signIns.set(signIn.id, signIn);
    this.#send({ type: 'sign_in_changed', sign_in: signIn });
  }

  #setVault(vault: Shut): void {
    this.#vault = vault;
    this.#send({ type: 'status_changed', status: this.status() });
    if (vault.state === 'unlocked') for (const watcher of this.#watchers) this.#snapshot(watcher);
  }

  #snapshot(watcher: { seq: number; onEvent: (e: Event) => void }): void {
    const open = this.#vault.state === 'unlocked';
    watcher.seq += 1;
    watcher.onEvent({
      type: 'snapshot', seq: watcher.seq,
      snapshot: {
        status: this.status(), accounts: open ? [...this.accounts.values()] : [], providers: this.providers,
        sign_ins: open ? [...this.signIns.values()].filter(({ stage }) => stage === 'waiting' || stage === 'exchanging') : [],
      },
    });
  }

  #send(event: Unnumbered): void {
    for (const watcher of this.#watchers) {
      watcher.seq += 1;
      watcher.onEvent({ ...event, seq: watcher.seq } as Event);
    }
  }

  #slowly(): Promise<void> {
    return this.#pace ? new Promise((resolve) => setTimeout(resolve, this.#pace)) : Promise.resolve();
  }
}

const MESSAGES: Partial<Record<ErrorCode, string>> = {
  keyring_absent: 'No keyring service answers on this desktop. The vault stays locked.',
  keyring_locked: 'Your desktop has not unlocked its keyring. The vault stays locked.',
  keyring_key_wrong: 'The keyring holds a key, but not the one this vault was locked with. Both were left as they are.',
  vault_damaged: 'The vault file did not pass its integrity check. Nothing was written to it.',
};
