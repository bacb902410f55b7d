/* How the list was left, so that coming back from an account finds it the same. Gone when the window closes. */
import type { Grouping, View } from './list';

class Remembered {
  view = $state<View>('all');
  grouping = $state<Grouping>('urgency');
  query = $state('');
  current = $state<string>();
  /** Pixels. Not shown by itself, so not reactive. */
  scrolled = 0;

  forget(): void {
    this.view = 'all';
    this.grouping = 'urgency';
    this.query = '';
    this.current = undefined;
    this.scrolled = 0;
  }
}

export const remembered = new Remembered();
