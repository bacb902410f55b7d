/* The one polite live region: results of what the person did. Countdowns are never announced. */

class Announcer {
  text = $state('');
}
export const announcer = new Announcer();

export function announce(text: string): void {
  // The same text twice would not be read again; a change of one invisible character makes it new.
  announcer.text = announcer.text === text ? `${text}\u00A0` : text;
}
