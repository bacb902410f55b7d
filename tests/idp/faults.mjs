// Faults on order: the next answers of a path come late, wrong, or not at all.

const faults = [];

/** What is to be changed in the answer to a request that is under way. */
const changes = new WeakMap();

/**
 * Orders a fault. `path` is a path of this server or `*` for all of them; `times` (default 1, -1 for ever) how many
 * requests meet it; `delayMs` waits before the work, `holdMs` after it; `status`, `headers`, `body` replace the answer;
 * `drop` closes the connection: `before` or `true` without doing the work, `after` when it is done and only the reply
 * is lost; `patch` (members and their values) and `remove` (names of members) change a JSON answer and nothing else.
 */
export function orderFault({
  path = '*', times = 1, delayMs = 0, holdMs = 0, status, headers = {}, body = '', drop, patch, remove,
}) {
  const change = patch || remove ? { patch: patch ?? {}, remove: remove ?? [] } : undefined;
  const when = drop === true ? 'before' : drop;
  faults.push({ path, left: times, delayMs, holdMs, status, headers, body, drop: when, change });
}

/** Everything works again. */
export function clearFaults() {
  faults.length = 0;
}

/** The faults that are still to come. */
export function pendingFaults() {
  return faults.map(({ path, left }) => ({ path, left }));
}

function take(path) {
  const at = faults.findIndex((fault) => fault.path === '*' || fault.path === path);
  if (at < 0) return undefined;
  const fault = faults[at];
  fault.left -= 1;
  if (fault.left === 0) faults.splice(at, 1);
  return fault;
}

/** Applies the next fault of `path`. Says what was done, or nothing when the request is to be served as usual. */
export async function meetFault(path, req, res) {
  const fault = take(path);
  if (!fault) return undefined;
  changes.set(req, fault.change);
  if (fault.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
  if (fault.drop === 'before') {
    req.socket.destroy();
    return 'dropped';
  }
  if (fault.drop === 'after') {
    res.write = () => true;
    res.end = () => {
      req.socket.destroy();
      return res;
    };
    return undefined;
  }
  if (fault.holdMs > 0) {
    const end = res.end.bind(res);
    res.end = (...rest) => {
      setTimeout(() => end(...rest), fault.holdMs);
      return res;
    };
  }
  if (fault.status === undefined) return undefined;
  const body = typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body);
  res.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
  res.end(body);
  return `fault ${fault.status}`;
}

/** Changes the members of a JSON answer as its fault says, after everything else is done. */
export function patchAnswer(ctx) {
  const change = changes.get(ctx.req);
  if (!change || ctx.body === null || typeof ctx.body !== 'object') return;
  const kept = Object.entries(ctx.body).filter(([name]) => !change.remove.includes(name));
  ctx.body = { ...Object.fromEntries(kept), ...change.patch };
}
