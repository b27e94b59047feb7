/** What the workload of siblings tells the checkers of an update that made way for another. */
import { expect, it } from 'vitest';
import { HistoryRecorder } from '../../chaos/run/recorder.js';
import { siblings } from '../../chaos/workloads/siblings.js';
import type { WorkloadOptions } from '../../chaos/workloads/workload.js';
import { agree, start } from '../support/one-partition.js';

const OPTIONS: WorkloadOptions = {
  namespace: 'default',
  clients: 2,
  rate: 1,
  durationMs: 1,
  keys: 1,
  keyChoice: 'uniform',
  session: false,
  timeoutMs: 5_000,
};

// `sim hunt leaderless-sessions` called a session broken that had read an attempt (v260), and then what replaced it (v260~1): seed 83.
it('an update that is made again has seen its attempt before, which it supersedes', async () => {
  const cluster = await start(1);
  const history = new HistoryRecorder(2, () => 0);
  const clients = [await cluster.connect('app-1'), await cluster.connect('app-2')].map((db) =>
    siblings.client(db, OPTIONS),
  );
  const update = (client: number, value: string) => {
    const operation = { id: client, atMs: 0, client, f: 'update', key: 'k', value };
    const open = history.begin(operation);
    return clients[client]!.perform(operation, open).then((done) => open.complete(done));
  };
  // Both read nothing; the one that writes second learns that it stands beside the other.
  await cluster.settle(Promise.all([update(0, 'a'), update(1, 'b')]));
  await agree(cluster);
  const again = history.events.filter(({ type, value }) => type === 'ok' && (value as string).includes('~'));
  expect(again).toHaveLength(1);
  const [{ value, seen } = {}] = again;
  const mine = (value as string).slice(0, 1);
  expect(seen).toEqual([mine === 'a' ? 'b' : 'a', mine]);
  expect(cluster.stored('n1', 'k')).toEqual([expect.stringContaining(`${mine}~1`)]);
});
