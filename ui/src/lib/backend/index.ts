import type { Backend } from './backend';
import { inTauri, tauriBackend } from './tauri';

/** The backend of this window. The stand-in is left out of production builds altogether. */
export async function chooseBackend(): Promise<Backend> {
  if (import.meta.env.DEV && !inTauri()) {
    const { MockBackend } = await import('./mock');
    return MockBackend.fromAddress(new URLSearchParams(location.search));
  }
  return tauriBackend;
}
