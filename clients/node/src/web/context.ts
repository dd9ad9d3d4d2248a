/** What records and plays. */

import { cancelled } from "../calls.js";

/**
 * Waits until a context runs, or throws Cancelled if the signal ends that. Browsers may keep a page waiting until somebody
 * clicks, and Firefox as long as the machine has no sound device.
 */
export async function running(context: AudioContext, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) throw cancelled(signal);
  await new Promise<void>((resolve, reject) => {
    const stop = () => reject(cancelled(signal!));
    signal?.addEventListener("abort", stop);
    const settled = () => signal?.removeEventListener("abort", stop);
    context.resume().finally(settled).then(resolve, reject);
  });
}
