/* Notices at the lower right: newest at the bottom, at most four, gone after six seconds unless something failed. */
import { S } from './time';

export interface Toast {
  id: number;
  tone: 'ok' | 'warn' | 'bad';
  title: string;
  text: string;
}

const SHOWN_AT_MOST = 4;
const SHOWN_FOR = 6 * S;

class Toasts {
  list = $state.raw<readonly Toast[]>([]);
  #last = 0;

  show(title: string, text = '', tone: Toast['tone'] = 'ok'): void {
    const id = (this.#last += 1);
    this.list = [...this.list, { id, tone, title, text }].slice(-SHOWN_AT_MOST);
    if (tone !== 'bad') setTimeout(() => this.#expire(id), SHOWN_FOR);
  }

  /** A notice that is being read stays. */
  readonly held = new Set<number>();

  #expire(id: number): void {
    if (this.held.has(id)) setTimeout(() => this.#expire(id), S);
    else this.dismiss(id);
  }

  dismiss(id: number): void {
    this.held.delete(id);
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  clear(): void {
    this.list = [];
  }
}

export const toasts = new Toasts();
