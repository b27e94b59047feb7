/**
 * A worker process of a hunt: makes the runs that it is sent, one at a time, and ends with the process that started
 * it. With the name of a planted bug as its argument it loads the code with that bug in it, which is why nothing
 * of that code may be imported above.
 */
import { bugNamed } from '../bugs/bugs.js';
import { plantBug } from '../bugs/plant-bug.js';
import type { WorkerAnswer, WorkerTask } from './worker-messages.js';

// Ctrl-C reaches the whole process group; it is for the hunt to say what becomes of it.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => {
  process.exit();
});

const bug = process.argv[2];
if (bug !== undefined) plantBug(bugNamed(bug));
const { doTask } = await import('./do-task.js');

process.on('message', (task: WorkerTask) => {
  void doTask(task).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.send?.({ id: task.id, type: 'error', message } satisfies WorkerAnswer);
    },
  );
});
