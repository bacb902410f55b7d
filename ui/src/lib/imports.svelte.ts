/*
 * Files that are being imported, whatever page is shown meanwhile. They go to the agent by their path, one after the
 * other: what is in them never comes here. A file that needs a password waits for it; the password itself is kept
 * nowhere. A lock ends it all. What became of them is said once, when the last has had its turn.
 */
import { backend, sayFailure } from './actions';
import { announce } from './announce.svelte';
import { errorBody, type ImportedFile } from './backend/backend';
import { accountDone, entered, importing as words, listDone, providerAdded, providersDone, takenOver } from './import-words';
import { route } from './route.svelte';
import { clean, OWN_TEXT_MAX } from './text';
import { toasts } from './toasts.svelte';
import { explain, type Failure } from './words';

/** One thing that a file brought. */
export interface Brought {
  name: string;
  service: string;
  became: string;
}

export interface Import {
  readonly path: string;
  readonly stage: 'waiting' | 'running' | 'sealed' | 'wrong' | 'done' | 'failed';
  readonly brought: readonly Brought[];
  /** One sentence over all that it brought. */
  readonly summary: string;
  /** What the person has to know and to do. */
  readonly notes: readonly string[];
  readonly failure: Failure | null;
}

const begun = (path: string): Import => ({ path, stage: 'waiting', brought: [], summary: '', notes: [], failure: null });

/** What is told of a file that was imported. */
export function told(imported: ImportedFile): Pick<Import, 'brought' | 'summary' | 'notes'> {
  switch (imported.kind) {
    case 'oidc_agent': {
      const { account, outcome, provider_added, notes } = imported.imported;
      const one = { name: clean(account.label), service: clean(account.provider_display_name), became: takenOver[outcome] };
      const provider = { name: clean(account.provider), service: clean(account.issuer), became: providerAdded };
      return {
        brought: provider_added ? [one, provider] : [one],
        summary: accountDone(clean(account.label)),
        notes: notes.map((note) => clean(note, OWN_TEXT_MAX)),
      };
    }
    case 'tokens': {
      const fresh = imported.tokens.filter(({ outcome }) => outcome === 'added').length;
      return {
        brought: imported.tokens.map(({ account, outcome }) => (
          { name: clean(account.label), service: clean(account.provider_display_name), became: entered[outcome] })),
        summary: listDone(fresh, imported.tokens.length),
        notes: [],
      };
    }
    case 'providers':
      return {
        brought: imported.providers.map(({ name, issuer }) => ({ name: clean(name), service: clean(issuer), became: providerAdded })),
        summary: providersDone(imported.providers.length),
        notes: [],
      };
  }
}

/** The name of a file without its folders. */
export const fileName = (path: string): string => clean(path.slice(path.lastIndexOf('/') + 1) || path);

/** What came of asking for one file, with or without its password; `null` when the vault was locked before. */
async function outcome(path: string, password: string | null): Promise<(Partial<Import> & Pick<Import, 'stage'>) | null> {
  try {
    return { stage: 'done', ...told(await backend().importFile({ path, password })) };
  } catch (thrown) {
    const error = errorBody(thrown);
    if (error.code === 'vault_locked') return null;
    if (error.code === 'import_wrong_password') return { stage: password === null ? 'sealed' : 'wrong' };
    return { stage: 'failed', failure: explain(error) };
  }
}

/** What became of a file, for whoever does not see it. */
function spoken({ path, stage, summary, failure }: Import): string {
  if (stage === 'done') return `${fileName(path)}: ${summary}`;
  return `${fileName(path)}: ${stage === 'failed' ? `${words.failed}. ${failure?.what ?? ''}` : `${words.needsPassword}.`}`;
}

/** Says what became of all files that had their turn; also to whoever looks at another page. */
function say(ended: readonly Import[]): void {
  if (!ended.length) return;
  announce(ended.map(spoken).join(' '));
  if (route.now.at === 'import') return;
  const n = (stage: Import['stage']) => ended.filter((one) => one.stage === stage).length;
  const [done, failed, sealed] = [n('done'), n('failed'), n('sealed') + n('wrong')];
  toasts.show(words.ended(done, failed, sealed), words.endedText, failed ? 'bad' : sealed ? 'warn' : 'ok');
}

class Imports {
  all = $state.raw<readonly Import[]>([]);
  busy = $state(false);
  /** The dialog for files is open. */
  choosing = $state(false);
  readonly waiting = $derived(this.all.filter(({ stage }) => stage === 'sealed' || stage === 'wrong'));
  /** The dialog was answered after the vault had been locked: nobody was told yet that nothing came of it. */
  missed = $state(false);
  /** How often the vault was locked: what was asked for before says nothing afterwards. */
  #locks = 0;

  /** Imports files; one that is in the list already is tried again in its place. */
  async add(paths: readonly string[]): Promise<void> {
    const wanted = new Set(paths);
    const known = this.all.map((one) => (wanted.delete(one.path) && one.stage !== 'running' ? begun(one.path) : one));
    this.all = [...known, ...[...wanted].map(begun)];
    await this.#run();
  }

  /** Imports what is chosen in the desktop's dialog. */
  async choose(): Promise<void> {
    if (this.choosing) return;
    this.choosing = true;
    const locks = this.#locks;
    const chosen = await backend().chooseFiles().catch((thrown: unknown) => {
      if (locks === this.#locks) sayFailure(thrown);
      return [];
    });
    this.choosing = false;
    if (locks === this.#locks) await this.add(chosen);
    else if (chosen.length) this.missed = true;
  }

  /** Says so, once the vault is open again. */
  sayMissed(): void {
    this.missed = false;
    toasts.show(words.notNow, words.missed, 'warn');
  }

  /** Tries a password for every file that waits for one. */
  async open(password: string): Promise<void> {
    const paths = this.waiting.map(({ path }) => path);
    await this.#each(() => paths.shift(), password);
    await this.#run();
  }

  leaveOut(path: string): void {
    this.all = this.all.filter((one) => one.path !== path);
  }

  /** The vault is locked: begins nothing more, and knows nothing any more of what was imported. */
  forget(): void {
    this.#locks += 1;
    this.all = [];
    this.busy = false;
  }

  #run(): Promise<void> {
    return this.#each(() => this.all.find(({ stage }) => stage === 'waiting')?.path, null);
  }

  async #each(next: () => string | undefined, password: string | null): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    const locks = this.#locks;
    const turns = new Set<string>();
    for (let path = next(); path !== undefined; path = next()) {
      this.#set(path, { stage: 'running', failure: null });
      const became = await outcome(path, password);
      if (locks !== this.#locks) return;
      if (!became) {
        // The agent says it before its event does.
        this.forget();
        return;
      }
      turns.add(path);
      this.#set(path, became);
    }
    this.busy = false;
    say(this.all.filter(({ path }) => turns.has(path)));
  }

  #set(path: string, changes: Partial<Import>): void {
    this.all = this.all.map((one) => (one.path === path ? { ...one, ...changes } : one));
  }
}

export const imports = new Imports();
