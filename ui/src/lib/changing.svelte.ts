/* Whether this window is changing the vault's key: it is locked meanwhile, and nobody is asked to unlock it. */

class Changing {
  on = $state(false);
}
export const changing = new Changing();
