/* What the window says of the session that a person's browser has at a provider. */
import type { BrowserSignOutStage } from './backend/backend';

export const browserSession = {
  signOut: 'Sign out here and in the browser',
  signOutText: 'The same, and your browser opens the provider’s page that ends its session there, where it has one.',
  signOutButton: 'Sign out, with browser',
  stays: (at: string) => `Your browser may still be signed in at ${at}`,
  staysText: 'Whoever uses it may be signed in there again without a password.',
  onlyThere: 'The provider has no page for this that could be opened from here. Sign out there, too.',
  end: 'End that too',
  notOpened: 'No browser opened. In a terminal, “holdfast sign-out” with “--browser --no-browser” prints the address.',
};

/** How far it has come; only a browser that was sent back is said to be done. */
export const browserStages: Record<BrowserSignOutStage, { title: (at: string) => string; text: string; tone: 'ok' | 'warn' }> = {
  waiting: {
    title: (at) => `Your browser opens the page of ${at} that ends its session`, text: 'Go on there.', tone: 'warn',
  },
  at_provider: {
    title: (at) => `Your browser is at ${at}`, text: 'It may ask whether you mean it. Go on there.', tone: 'warn',
  },
  returned: {
    title: (at) => `In the browser ${at} is done`, text: 'The provider sent your browser back after its part of the sign-out.', tone: 'ok',
  },
  left: {
    title: (at) => `Your browser was sent to ${at}`, text: 'Whether its session ended is seen there only.', tone: 'warn',
  },
  not_opened: {
    title: (at) => `Your browser may still be signed in at ${at}`, text: 'It did not open the page in time.', tone: 'warn',
  },
};
