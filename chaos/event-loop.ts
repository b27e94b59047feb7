/**
 * How a simulation lets promise callbacks run: each step of it is a callback of the real event loop's check
 * phase, between two of which Node runs every pending one. Many are queued at a time: going once around
 * the event loop for each event costs ten times as much, and does nothing more.
 */
import type { Turns } from '../src/simulation/scheduler.js';

/** Steps queued at once. What is left over when a step says it was the last finds nothing to do. */
const STEPS_QUEUED = 64;

export const eventLoopTurns: Turns = (step) =>
  new Promise((resolve, reject) => {
    let queued = 0;
    let over = false;
    const turn = (): void => {
      queued--;
      if (over) return;
      try {
        over = !step();
      } catch (error) {
        over = true;
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        reject(error);
        return;
      }
      if (over) resolve();
      else if (queued === 0) queue();
    };
    const queue = (): void => {
      while (queued < STEPS_QUEUED) {
        queued++;
        setImmediate(turn);
      }
    };
    queue();
  });
