/** What `config check` says of a namespace's quorums. */
import { describe, expect, it } from 'vitest';
import { parseClusterConfig } from '../../src/cluster/config.js';
import type { NamespaceEntry } from '../../src/cluster/cluster-map.js';
import { readsMeetWrites } from '../../src/cluster/quorum-overlap.js';
import { guaranteeText } from '../../src/cli/guarantee-text.js';

function namespace(settings: string): NamespaceEntry {
  const nodes = [1, 2, 3, 4].map((n) => `{ id: n${n}, port: ${n}, dataDir: n${n} }`).join(', ');
  const strategy = settings.includes('strategy') ? '' : 'strategy: leaderless, ';
  const text = `cluster: c\nnodes: [${nodes}]\nnamespaces:\n  - { name: a, ${strategy}${settings} }\n`;
  return parseClusterConfig(text, 'c.yaml').namespaces[0] as NamespaceEntry;
}

describe('the guarantee of a namespace', () => {
  it('is read-your-writes where R + W > N and quorums are strict', () => {
    expect(readsMeetWrites(namespace('read: quorum'))).toBe(true);
    expect(readsMeetWrites(namespace('read: one'))).toBe(false);
    expect(guaranteeText(namespace('read: quorum'))[1]).toBe(
      'writes go on with 1 replica of a partition down, reads with 1 replica',
    );
  });

  it('is not where they are sloppy, unless every read asks all', () => {
    expect(readsMeetWrites(namespace('sloppy: true'))).toBe(false);
    expect(readsMeetWrites(namespace('sloppy: true, read: all'))).toBe(true);
    const [what, availability] = guaranteeText(namespace('sloppy: true'));
    expect(what).toContain('eventual: sloppy');
    expect(availability).toBe(
      'writes go on with 2 replicas of a partition down, as far as there are stand-ins; reads with 1 replica',
    );
    expect(guaranteeText(namespace('sloppy: true, read: all'))[0]).toContain('read-your-writes');
  });

  it('is linearizable where a leader confirms reads and a majority has writes', () => {
    const led = (settings: string) => namespace(`strategy: leader-follower, ${settings}`);
    expect(readsMeetWrites(led('ack: quorum'))).toBe(true);
    expect(readsMeetWrites(led('ack: leader'))).toBe(false);
    expect(readsMeetWrites(led('read: session'))).toBe(false);
    const [reads, availability, , acks] = guaranteeText(led('ack: all, minReplicas: 2'));
    expect(reads).toBe('linearizable: a read sees every write acknowledged before it began');
    expect(availability).toBe(
      'writes go on with 1 replica of a partition down, after the election of a leader where that was one; reads with 1 replica',
    );
    expect(acks).toContain('all replicas that can be reached, 2 at least');
    expect(guaranteeText(led('ack: all'))[1]).toContain('writes go on with no replica of a partition down');
    expect(guaranteeText(led('read: follower'))[1]).toContain('reads with 2 replicas');
    expect(guaranteeText(led('ack: leader')).join('\n')).toContain('lost when the leader fails');
  });

  it('says what an even number of replicas and a lease come to', () => {
    const text = guaranteeText(namespace('strategy: leader-follower, replicas: 4, clockBound: 200ms'));
    expect(text).toContain('4 replicas survive no more losses than 3 do: the majority is 3');
    expect(text).toContain(
      'clockBound: reads are answered under a lease; stale ones are possible where clocks differ by more than 200 ms',
    );
  });

  it('says that a lease is for linearizable reads only', () => {
    for (const read of ['session', 'follower'])
      expect(
        guaranteeText(namespace(`strategy: leader-follower, clockBound: 200ms, read: ${read}`)),
      ).toContain(
        `clockBound: of no use to reads of mode ${read}, the default here; those that ask for linearizable are answered under a lease; stale ones are possible where clocks differ by more than 200 ms`,
      );
  });
});
