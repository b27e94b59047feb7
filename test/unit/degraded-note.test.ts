/** What a person is told of writes at `ack: all` that not every replica has. */
import { describe, expect, it } from 'vitest';
import { degradedNote, explainForNote, replicasWanted } from '../../src/cli/degraded-note.js';
import type { ClusterMap } from '../../src/cluster/cluster-map.js';
import { nodeId } from '../../src/core/ids.js';
import type { Explanation, ReplicaAnswer } from '../../src/protocol/messages.js';

const explained = (answers: Record<string, ReplicaAnswer['answer']>): Explanation => ({
  coordinator: nodeId('n1'),
  strategy: 'leader-follower',
  required: 'ack all: 2 of 3',
  replicas: Object.entries(answers).map(([node, answer]) => ({ node: nodeId(node), answer })),
  repaired: [],
  guarantee: '',
});

const full = { replicas: 3, explain: explained({ n1: 'leads', n2: 'stored', n3: 'stored' }) };
const degraded = { replicas: 2, explain: explained({ n1: 'leads', n2: 'unreachable', n3: 'stored' }) };

describe('the note', () => {
  it('says of one write how many replicas have it, and which cannot be reached', () => {
    expect(degradedNote(3, [degraded])).toBe('note: on 2 of 3 replicas; n2 cannot be reached');
    const alone = { replicas: 1, explain: explained({ n1: 'leads', n3: 'unreachable', n2: 'unreachable' }) };
    expect(degradedNote(3, [alone])).toBe('note: on 1 of 3 replicas; n2 and n3 cannot be reached');
  });

  it('leaves the name out where the leader has not given it', () => {
    expect(degradedNote(3, [{ replicas: 2 }])).toBe('note: on 2 of 3 replicas');
  });

  it('is one for all writes of a batch', () => {
    expect(degradedNote(3, [degraded, full, degraded])).toBe(
      'note: 2 of 3 writes are on fewer than 3 replicas; n2 cannot be reached',
    );
  });

  it('is none where all replicas have it, where nothing was written, or at another level', () => {
    expect(degradedNote(3, [full])).toBeUndefined();
    expect(degradedNote(3, [{}])).toBeUndefined();
    expect(degradedNote(3, [])).toBeUndefined();
    expect(degradedNote(undefined, [degraded])).toBeUndefined();
  });
});

it('is for the level that the call names, or the namespace', () => {
  const common = { replicas: 3, partitions: 1 };
  const map = {
    namespaces: [
      { name: 'every', strategy: 'leader-follower', ack: 'all', ...common },
      { name: 'most', strategy: 'leader-follower', ack: 'quorum', ...common },
      { name: 'plain', strategy: 'leaderless', ...common },
    ],
  } as unknown as ClusterMap;
  const wanted = (namespace: string, ack?: 'leader' | 'quorum' | 'all'): number | undefined =>
    replicasWanted(map, { namespace, ack });
  expect([wanted('every'), wanted('most', 'all')]).toEqual([3, 3]);
  expect([wanted('every', 'quorum'), wanted('most'), wanted('plain'), wanted('none')]).toEqual(
    Array(4).fill(undefined),
  );
  expect([explainForNote(3, false), explainForNote(3, true), explainForNote(undefined, false)]).toEqual([
    { explain: true },
    {},
    {},
  ]);
});
