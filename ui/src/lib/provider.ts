/** Longest short name that the agent takes. */
const NAME_MAX = 64;

/** A short name (`a-z 0-9 . _ -`) made from what people call a provider, unlike those in `taken`. */
export function shortName(called: string, taken: readonly string[]): string {
  const plain = called
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\p{M}'’]/gu, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/-{2,}/g, '-')
    .replace(/^[-._]+|[-._]+$/g, '')
    .slice(0, NAME_MAX - 4);
  const base = plain || 'provider';
  let name = base;
  for (let n = 2; taken.includes(name); n += 1) name = `${base}-${n}`;
  return name;
}
