// The people who can sign in.

const users = new Map();
const disabled = new Set();

/** Adds a person; `name` and `email` end up in the ID token. */
export function addUser({ login, password, name = login, email = `${login}@example.test` }) {
  users.set(login, { login, password, name, email });
}

addUser({ login: 'alice', password: 'alice-pw', name: 'Alice Example' });
addUser({ login: 'bob', password: 'bob-pw', name: 'Bob Example' });

/** From here on this person can neither sign in nor refresh. */
export function disableUser(login) {
  if (!users.has(login)) return false;
  disabled.add(login);
  return true;
}

/** Whether this person may sign in with this password. */
export function passwordFits(login, password) {
  return users.get(login)?.password === password && !disabled.has(login);
}

/** `findAccount` of oidc-provider; nobody is there any more once disabled. */
export async function findAccount(_ctx, login) {
  const user = users.get(login);
  if (!user || disabled.has(login)) return undefined;
  return {
    accountId: login,
    claims: async () => ({
      sub: login,
      preferred_username: login,
      name: user.name,
      email: user.email,
      email_verified: true,
    }),
  };
}
