/* What the agent says, as the window keeps it: a snapshot and the changes after it. No secret is ever in here. */
import type {
  AccountView, Backend, Connection, Event, LockReason, ProviderView, SignInView, Standing, Status,
} from './backend/backend';
import { Clock, clock } from './clock.svelte';
import { instant } from './time';

/**
 * Changes that follow each other within this many milliseconds are shown together, so that a thousand renewals in
 * one second do not sort a long list a thousand times.
 */
const TOGETHER = 40;
/** A renewal is shown for at least this long, so that it can be seen at all. */
const REFRESHING_SHOWN_FOR = 400;

export class Vault {
  connection = $state.raw<Connection>({ state: 'connecting' });
  /** `null` until the first snapshot. */
  status = $state.raw<Status | null>(null);
  /** By label. */
  accounts = $state.raw<readonly AccountView[]>([]);
  /** By name. */
  providers = $state.raw<readonly ProviderView[]>([]);
  signIns = $state.raw<ReadonlyMap<string, SignInView>>(new Map());
  /** Why it was locked the last time that this window saw it locked. */
  lastLock = $state.raw<LockReason | null>(null);

  readonly #clock: Clock;
  readonly #byId = new Map<string, AccountView>();
  /** Since when accounts are shown as refreshing, on the monotonic clock. */
  readonly #refreshing = new Map<string, number>();
  /** Changes that wait because the renewal before them has not been seen long enough. */
  readonly #held = new Map<string, ReturnType<typeof setTimeout>>();
  #backend: Backend | undefined;
  #end: (() => void) | undefined;
  #seq = 0;
  #shownAt = Number.NEGATIVE_INFINITY;
  #pending: ReturnType<typeof setTimeout> | undefined;

  constructor(of: Clock = clock) {
    this.#clock = of;
  }

  /** Begins to follow `backend`; the result ends it. */
  follow(backend: Backend): () => void {
    this.#backend = backend;
    this.#subscribe();
    this.#clock.ondrift = () => this.#subscribe();
    return () => {
      this.#end?.();
      clearTimeout(this.#pending);
      for (const id of [...this.#held.keys()]) this.#release(id);
      this.#clock.ondrift = undefined;
      this.#backend = this.#end = undefined;
    };
  }

  /** What is wrong with the age of the vault that is open; `null` while it may be used. Reactive. */
  get unaccepted(): Exclude<Standing, 'current'> | null {
    const standing = this.status?.vault.standing ?? 'current';
    return standing === 'current' ? null : standing;
  }

  /** The account of that id. Reactive. */
  account(id: string): AccountView | undefined {
    // Reading the list makes the caller depend on it; the map itself is plain.
    return this.accounts.length ? this.#byId.get(id) : undefined;
  }

  provider(name: string): ProviderView | undefined {
    return this.providers.find((provider) => provider.name === name);
  }

  /** Takes over a sign-in that a command answered with, before its event arrives. */
  noteSignIn(signIn: SignInView): void {
    if (!this.signIns.has(signIn.id)) this.signIns = new Map(this.signIns).set(signIn.id, signIn);
  }

  /** Asks for a new snapshot: at the start, after sleep, when a change is missing. */
  #subscribe(): void {
    const backend = this.#backend;
    if (!backend) return;
    this.#end?.();
    let first = true;
    this.#end = backend.subscribe(
      (event) => {
        if (first && event.type !== 'snapshot') return;
        first = false;
        this.apply(event);
      },
      (connection) => {
        // A stream that begins anew starts with a snapshot; what the old one would still have said is void.
        if (connection.state !== 'connected') first = true;
        this.connection = connection;
      },
    );
  }

  apply(event: Event): void {
    if (event.type === 'snapshot') {
      const { status, accounts, providers, sign_ins } = event.snapshot;
      this.#seq = event.seq;
      this.connection = { state: 'connected' };
      this.#forget();
      for (const account of accounts) this.#byId.set(account.id, account);
      this.providers = byName(providers);
      this.signIns = new Map([...this.signIns, ...sign_ins.map((signIn) => [signIn.id, signIn] as const)]);
      this.#show();
      this.#apply(status);
      return;
    }
    if (event.seq !== this.#seq + 1) {
      this.#subscribe();
      return;
    }
    this.#seq = event.seq;
    switch (event.type) {
      case 'status_changed':
        this.#apply(event.status);
        break;
      case 'account_changed':
        this.#change(event.account);
        break;
      case 'account_removed':
        this.#release(event.id);
        this.#byId.delete(event.id);
        this.#showSoon();
        break;
      case 'provider_changed': {
        const { provider } = event;
        this.providers = byName([...this.providers.filter(({ name }) => name !== provider.name), provider]);
        break;
      }
      case 'provider_removed':
        this.providers = this.providers.filter(({ name }) => name !== event.name);
        break;
      case 'sign_in_changed':
        this.signIns = new Map(this.signIns).set(event.sign_in.id, event.sign_in);
        break;
    }
  }

  #apply(status: Status): void {
    const now = instant(status.server_now);
    if (now !== null) this.#clock.set(now);
    this.status = status;
    if (status.vault.state !== 'unlocked') {
      this.lastLock = status.vault.locked_because ?? this.lastLock;
      // Locked: whatever the window knew by name goes.
      this.#forget();
      this.signIns = new Map();
      this.#show();
    }
  }

  #change(account: AccountView): void {
    const { id, state } = account;
    this.#release(id);
    const since = this.#refreshing.get(id);
    const wait = since === undefined || state === 'refreshing' ? 0 : since + REFRESHING_SHOWN_FOR - performance.now();
    if (wait > 0) {
      this.#held.set(id, setTimeout(() => this.#change(account), wait));
      return;
    }
    if (state !== 'refreshing') this.#refreshing.delete(id);
    else if (since === undefined) this.#refreshing.set(id, performance.now());
    this.#byId.set(id, account);
    this.#showSoon();
  }

  #release(id: string): void {
    clearTimeout(this.#held.get(id));
    this.#held.delete(id);
  }

  #forget(): void {
    for (const id of [...this.#held.keys()]) this.#release(id);
    this.#refreshing.clear();
    this.#byId.clear();
  }

  #showSoon(): void {
    if (this.#pending !== undefined) return;
    const wait = this.#shownAt + TOGETHER - performance.now();
    if (wait <= 0) this.#show();
    else this.#pending = setTimeout(() => this.#show(), wait);
  }

  #show(): void {
    clearTimeout(this.#pending);
    this.#pending = undefined;
    this.#shownAt = performance.now();
    this.accounts = [...this.#byId.values()].sort((a, b) => collator.compare(a.label, b.label));
  }
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });
const byName = (providers: readonly ProviderView[]) =>
  [...providers].sort((a, b) => collator.compare(a.display_name, b.display_name));

export const vault = new Vault();
