/** Waiting for something that only asking can tell, with a deadline. */
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Asks again and again until the answer is not undefined, and gives it; undefined once `deadlineMs` of time
 * have passed. `ask` is asked at least once, and once more at the end.
 */
export async function pollUntil<T>(
  ask: () => Promise<T | undefined>,
  options: { readonly deadlineMs: number; readonly everyMs: number },
): Promise<T | undefined> {
  const end = performance.now() + options.deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    const left = end - performance.now();
    if (left <= 0) return undefined;
    await pause(Math.min(options.everyMs, left));
  }
}
