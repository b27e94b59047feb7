/** Namespaces with leaders in a cluster config: their settings, and what is refused of the other strategy's. */
import { describe, expect, it } from 'vitest';
import { parseClusterConfig } from '../../src/cluster/config.js';
import { problemsOf, withNamespace } from '../support/config-texts.js';

describe('a leader-follower namespace', () => {
  const led = (...settings: string[]): string =>
    withNamespace(...settings).replace('strategy: leaderless', 'strategy: leader-follower');

  it('gets every default', () => {
    expect(parseClusterConfig(led(), 'c').namespaces[0]).toEqual({
      name: 'photos',
      strategy: 'leader-follower',
      replicas: 3,
      partitions: 16,
      ack: 'quorum',
      read: 'linearizable',
      minReplicas: 3,
      clockBoundMs: 0,
      logBytes: 67_108_864,
      durability: 'sync',
      ttlMs: 0,
    });
  });

  it('keeps every setting, and an even number of replicas', () => {
    const settings = [
      'replicas: 2',
      'partitions: 1',
      'ack: all',
      'minReplicas: 2',
      'read: session',
      'ttl: 1h',
    ];
    const text = led(...settings, 'clockBound: 200ms', 'logBytes: 1.5MiB', 'durability: sync');
    expect(parseClusterConfig(text, 'c').namespaces[0]).toEqual({
      name: 'photos',
      strategy: 'leader-follower',
      replicas: 2,
      partitions: 1,
      ack: 'all',
      read: 'session',
      minReplicas: 2,
      clockBoundMs: 200,
      logBytes: 1_572_864,
      durability: 'sync',
      ttlMs: 3_600_000,
    });
  });

  it.each([
    ['64MiB', 67_108_864],
    ['1GiB', 1_073_741_824],
    ['2048 KiB', 2_097_152],
    ['1048576', 1_048_576],
  ])('reads logBytes %s as %i bytes', (size, logBytes) => {
    expect(parseClusterConfig(led(`logBytes: ${size}`), 'c').namespaces[0]).toMatchObject({ logBytes });
  });

  it.each<[string, string]>([
    ['ack: most', 'ack must be leader, quorum or all, not "most"'],
    ['ack: qourum', 'ack must be leader, quorum or all, not "qourum" (did you mean quorum?)'],
    [
      'ack: 2',
      'ack must be leader, quorum or all, not 2: quorums of replicas are for strategy leaderless; ack names who has a write on disk before it is acknowledged',
    ],
    [
      'read: quorum',
      'read must be linearizable, session or follower, not "quorum": quorums of replicas are for strategy leaderless; with a leader a read has a mode',
    ],
    ['read: sesion', 'read must be linearizable, session or follower, not "sesion" (did you mean session?)'],
    ['logBytes: 15KiB', 'logBytes must be at least 16KiB, not "15KiB"'],
    [
      'logBytes: much',
      'logBytes must be a size such as 64MiB, 512KiB or 1GiB, or a whole number of bytes, not "much"',
    ],
    [
      'clockBound: 600ms',
      'clockBound must be at most 599ms (a lease lasts the time without a leader until an election, 600ms, less clockBound), not "600ms"',
    ],
    ['minReplicas: 0', 'minReplicas must be a whole number 1 or more, not 0'],
    [
      'write: quorum',
      'write is for strategy leaderless: use ack (leader, quorum or all), who has a write on disk before it is acknowledged',
    ],
    [
      'conflict: lww',
      'conflict is for strategy leaderless: one leader orders all writes of a key, so nothing conflicts; leave it out, and write with ifVersion or update',
    ],
    ['sloppy: false', 'sloppy is for strategy leaderless: a stand-in has no vote and no log; leave it out'],
    [
      'durability: buffered',
      'durability must be sync with strategy leader-follower, not "buffered": a log whose end a crash takes back would elect leaders that lack acknowledged writes; for fewer waits use ack: leader',
    ],
    ['acks: all', 'unknown key acks (did you mean ack?)'],
    [
      'minReplicas: 2',
      'minReplicas 2 has no meaning: it says without how many replicas ack: all goes on, and ack is quorum; set ack to all, or leave it out',
    ],
  ])('refuses %s', (setting, reason) => {
    expect(problemsOf(led(setting))).toEqual([`c.yaml:10: namespace photos: ${reason}`]);
  });

  it('refuses more minReplicas than replicas', () => {
    expect(problemsOf(led('ack: all', 'minReplicas: 4'))).toEqual([
      'c.yaml:11: namespace photos: minReplicas 4 is more than its 3 replicas: no write could ever succeed',
    ]);
  });

  it('takes the longest clockBound that leaves a lease', () => {
    const text = led('clockBound: 599ms');
    expect(parseClusterConfig(text, 'c').namespaces[0]).toMatchObject({ clockBoundMs: 599 });
  });

  it.each([
    [3, 1, 2],
    [4, 2, 3],
    [5, 2, 3],
  ])(
    'of %i replicas refuses minReplicas %i, which is below a majority',
    (replicas, minReplicas, majority) => {
      const reason = `would do nothing: every write needs a majority of its ${replicas} replicas, ${majority}; set ${majority} or more`;
      const text = (least: number) => led(`replicas: ${replicas}`, 'ack: all', `minReplicas: ${least}`);
      expect(problemsOf(text(minReplicas))).toContain(
        `c.yaml:12: namespace photos: minReplicas ${minReplicas} ${reason}`,
      );
      expect(problemsOf(text(majority)).join('\n')).not.toContain('minReplicas');
    },
  );

  it.each<[string, string[], string[]]>([
    ['linearizable', [], []],
    ['linearizable', ['ack: all'], []],
    ['read-your-writes', ['read: session'], []],
    ['read-your-writes', [], []],
    [
      'linearizable',
      ['ack: leader'],
      ['with ack: leader a failover may take back a write that was acknowledged; use quorum or all'],
    ],
    [
      'linearizable',
      ['read: session'],
      [
        'with read: session a read sees what its own session has seen, not the latest write of others; use linearizable',
      ],
    ],
    [
      'linearizable',
      ['read: follower'],
      ['with read: follower a replica that has not the latest writes may answer; use linearizable'],
    ],
    [
      'read-your-writes',
      ['ack: leader', 'read: follower'],
      [
        'with ack: leader a failover may take back a write that was acknowledged; use quorum or all',
        'with read: follower a replica that has not the latest writes may answer; use session or linearizable',
      ],
    ],
  ])('guarantee %s with %j', (guarantee, settings, reasons) => {
    expect(problemsOf(led(`guarantee: ${guarantee}`, ...settings))).toEqual(
      reasons.map(
        (reason) => `c.yaml:10: namespace photos: guarantee ${guarantee} cannot be kept: ${reason}`,
      ),
    );
  });

  it('has the fields that a leaderless one is refused', () => {
    const problem = (setting: string) => problemsOf(withNamespace(setting))[0];
    expect(problem('ack: quorum')).toBe(
      'c.yaml:10: namespace photos: ack is for strategy leader-follower: use write, how many replicas have a write on disk before it is acknowledged',
    );
    expect(problem('logBytes: 64MiB')).toContain(
      'logBytes is for strategy leader-follower: it bounds the log',
    );
    expect(problem('minReplicas: 1')).toContain('minReplicas is for strategy leader-follower: use write');
    expect(problem('clockBound: 1s')).toContain('clockBound is for strategy leader-follower');
    expect(problem('read: linearizable')).toBe(
      'c.yaml:10: namespace photos: read must be one, quorum, all or a whole number of replicas, not "linearizable": that is for strategy leader-follower',
    );
    expect(problem('guarantee: linearizable')).toBe(
      'c.yaml:10: namespace photos: guarantee linearizable cannot be kept by strategy leaderless: concurrent writes have no one order here; use strategy: leader-follower',
    );
  });
});
