/**
 * One of three real nodes is killed with SIGKILL again and again under load; then every acknowledged write is read back from
 * every replica. In full: KILLS=20 WRITES=50000 npx vitest run test/integration/kill-campaign.test.ts
 */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEMO_NODES, DemoCluster, type DemoNode } from '../../src/cli/demo/demo-cluster.js';
import { Ledger, recorded } from '../../src/cli/ledger.js';
import { openReplicaReaders } from '../../src/cli/replica-reader.js';
import { verifyReplicas } from '../../src/cli/verify-replicas.js';
import { connect, TrefoilError, type Database } from '../../src/index.js';

const KILLS = Number(process.env['KILLS'] ?? 3);
const WRITES = Number(process.env['WRITES'] ?? 3_000);
const WRITERS = 32;
/** The replicas must agree this long after the last restart. */
const AGREE_MS = 10_000;

describe('acknowledged writes', () => {
  let cluster: DemoCluster;
  let db: Database;

  beforeEach(async () => {
    cluster = await DemoCluster.prepare();
    await cluster.start();
    db = await connect({ seeds: cluster.seeds, timeoutMs: 10_000 });
  });

  afterEach(async () => {
    await db.close();
    await cluster.dispose(false);
  });

  it(`survive ${KILLS} kills among ${WRITES} of them`, { timeout: 600_000 }, async () => {
    const ledger = new Ledger();
    const kills = { left: KILLS };
    const load = Promise.all(
      Array.from({ length: WRITERS }, (_, writer) =>
        write(recorded(db, ledger), writer, () => kills.left === 0 && ledger.writes >= WRITES),
      ),
    );
    const moments = await killAtRandom(cluster, kills);
    const lastRestartMs = performance.now();
    const outcomes = (await load).flat();

    await pause(Math.max(0, lastRestartMs + AGREE_MS - performance.now()));
    const readers = await openReplicaReaders(db);
    const verdict = await verifyReplicas(ledger.entries(), readers);
    for (const reader of readers.values()) reader.close();

    const failed = outcomes.filter((o) => o === 'failed').length;
    console.log(
      `${ledger.writes} writes acknowledged to ${ledger.keys} keys, ${failed} failed, ${outcomes.length - failed} unknown; ` +
        `${KILLS} kills (${moments.join(', ')}); ${verdict.right} of ${verdict.copies} copies right, ` +
        `${verdict.differing.length} keys differ`,
    );
    expect(ledger.writes).toBeGreaterThanOrEqual(WRITES);
    expect(verdict.missing).toEqual([]);
    expect(verdict.differing).toEqual([]);
  });
});

/** Writes until told that it is enough: new keys, now and then an update of an earlier one. Returns how the others ended. */
async function write(db: Database, writer: number, enough: () => boolean): Promise<('failed' | 'unknown')[]> {
  const ns = db.namespace<string>('default');
  const bad: ('failed' | 'unknown')[] = [];
  for (let i = 0; !enough(); i++) {
    try {
      if (i % 8 === 7) await ns.update(`w${writer}/${i - 7}`, (old) => `${old ?? ''}+${i}`);
      else await ns.put(`w${writer}/${i}`, `photo ${i} `.padEnd(200, '.'));
    } catch (error) {
      if (!(error instanceof TrefoilError)) throw error;
      bad.push(error.outcome);
    }
  }
  return bad;
}

async function killAtRandom(cluster: DemoCluster, kills: { left: number }): Promise<string[]> {
  const moments: string[] = [];
  const startMs = performance.now();
  while (kills.left > 0) {
    await pause(200 + Math.random() * 1_500);
    const node = DEMO_NODES[Math.floor(Math.random() * DEMO_NODES.length)] as DemoNode;
    moments.push(`${node} at ${((performance.now() - startMs) / 1000).toFixed(2)} s`);
    await cluster.process(node).kill();
    await pause(Math.random() * 1_500);
    await cluster.startNode(node);
    kills.left--;
  }
  return moments;
}
