/* Dark, light, or as the system. The choice is no secret; it is the only thing the window stores itself. */

export type Theme = 'system' | 'dark' | 'light';

const KEY = 'holdfast.theme';
const ORDER: readonly Theme[] = ['system', 'dark', 'light'];

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'dark' || value === 'light' ? value : 'system';
  } catch {
    return 'system';
  }
}

class ThemeChoice {
  choice = $state<Theme>(stored());

  /** Keeps `data-theme` of the document in step; the result ends it. */
  start(): () => void {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const apply = () => {
      const dark = this.choice === 'system' ? system.matches : this.choice === 'dark';
      document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    };
    system.addEventListener('change', apply);
    this.#apply = apply;
    apply();
    return () => system.removeEventListener('change', apply);
  }

  #apply: () => void = () => undefined;

  set(theme: Theme): void {
    this.choice = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Without storage the choice holds for this window.
    }
    this.#apply();
  }

  /** System, dark, light, and round again. */
  turn(): void {
    this.set(ORDER[(ORDER.indexOf(this.choice) + 1) % ORDER.length] ?? 'system');
  }
}

export const theme = new ThemeChoice();
