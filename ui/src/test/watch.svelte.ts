/** Runs `run` now and after each change of what it reads; the result ends that. */
export function watch(run: () => void): () => void {
  return $effect.root(() => {
    $effect(run);
  });
}
