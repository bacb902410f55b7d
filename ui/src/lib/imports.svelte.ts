/*
 * Files that are being imported. They go to the agent by their path, one after the other: what is in them never comes
 * here. A file that needs a password waits for it; the password itself is kept nowhere.
 */
import { backend } from './actions';
import { announce } from './announce.svelte';
import { errorBody, type ImportedFile } from './backend/backend';
import { accountDone, entered, importing as words, listDone, providerAdded, providersDone, takenOver } from './import-words';
import { clean } from './text';
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

/** The longest note that is shown; longer than a provider's text, because it is Holdfast's own and names a file. */
const NOTE_MAX = 600;

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
        notes: notes.map((note) => clean(note, NOTE_MAX)),
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

export class Imports {
  all = $state.raw<readonly Import[]>([]);
  busy = $state(false);
  readonly waiting = $derived(this.all.filter(({ stage }) => stage === 'sealed' || stage === 'wrong'));

  /** Imports files; one that is in the list already is tried again. */
  async add(paths: readonly string[]): Promise<void> {
    const wanted = [...new Set(paths)];
    this.all = [...this.all.filter(({ path, stage }) => stage === 'running' || !wanted.includes(path)), ...wanted
      .filter((path) => !this.all.some((one) => one.path === path && one.stage === 'running'))
      .map(begun)];
    await this.#run();
  }

  /** Tries a password for every file that waits for one. */
  async open(password: string): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    for (const { path } of this.waiting) await this.#one(path, password);
    this.busy = false;
    await this.#run();
  }

  leaveOut(path: string): void {
    this.all = this.all.filter((one) => one.path !== path);
  }

  async #run(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    for (let next = this.#next(); next; next = this.#next()) await this.#one(next.path, null);
    this.busy = false;
  }

  #next(): Import | undefined {
    return this.all.find(({ stage }) => stage === 'waiting');
  }

  async #one(path: string, password: string | null): Promise<void> {
    this.#set(path, { stage: 'running', failure: null });
    try {
      const done = told(await backend().importFile({ path, password }));
      this.#set(path, { stage: 'done', ...done });
      announce(`${fileName(path)}: ${done.summary}`);
    } catch (thrown) {
      const error = errorBody(thrown);
      if (error.code === 'import_wrong_password') {
        this.#set(path, { stage: password === null ? 'sealed' : 'wrong' });
        return;
      }
      const failure = explain(error);
      this.#set(path, { stage: 'failed', failure });
      announce(`${fileName(path)}: ${words.failed}. ${failure.what}`);
    }
  }

  #set(path: string, changes: Partial<Import>): void {
    this.all = this.all.map((one) => (one.path === path ? { ...one, ...changes } : one));
  }
}
