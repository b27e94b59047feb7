import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseClusterConfig } from '../../src/cluster/config.js';
import { problemsOf, withNamespace } from '../support/config-texts.js';

describe('a sound config', () => {
  it('gets every default', () => {
    const config = parseClusterConfig(withNamespace(), 'c.yaml');
    expect(config).toEqual({
      cluster: 'test',
      epoch: 1,
      credentials: '',
      nodes: [1, 2, 3].map((i) => ({
        id: `n${i}`,
        host: '127.0.0.1',
        port: 7100 + i,
        zone: 'default',
        weight: 1,
        dataDir: `./n${i}`,
      })),
      namespaces: [
        {
          name: 'photos',
          strategy: 'leaderless',
          replicas: 3,
          partitions: 16,
          read: 'quorum',
          write: 'quorum',
          conflict: 'siblings',
          durability: 'sync',
          sloppy: false,
          ttlMs: 0,
        },
      ],
    });
  });

  it('keeps every setting', () => {
    const text = `cluster: photos-at-home
epoch: 7
credentials: "s3cret"
nodes:
  - { id: a, host: db.example.org, port: 1, zone: east, weight: 2.5, dataDir: /data/a }
  - { id: b, host: "::1", port: 65535, zone: west, dataDir: b }
namespaces:
  - { name: n, strategy: leaderless, replicas: 2, partitions: 1, read: 1, write: all, conflict: lww,
      durability: buffered, sloppy: false, ttl: 12h }
`;
    const config = parseClusterConfig(text, 'c.yaml');
    expect(config).toMatchObject({ epoch: 7, credentials: 's3cret' });
    expect(config.nodes[0]).toEqual({
      id: 'a',
      host: 'db.example.org',
      port: 1,
      zone: 'east',
      weight: 2.5,
      dataDir: '/data/a',
    });
    expect(config.namespaces[0]).toEqual({
      name: 'n',
      strategy: 'leaderless',
      replicas: 2,
      partitions: 1,
      read: 1,
      write: 'all',
      conflict: 'lww',
      durability: 'buffered',
      sloppy: false,
      ttlMs: 43_200_000,
    });
  });

  it.each([
    ['30d', 2_592_000_000],
    ['12h', 43_200_000],
    ['15m', 900_000],
    ['90s', 90_000],
    ['1.1s', 1_100],
    ['500ms', 500],
    ['250', 250],
    ['0', 0],
  ])('reads the ttl %s as %i ms', (ttl, ms) => {
    expect(parseClusterConfig(withNamespace(`ttl: ${ttl}`), 'c').namespaces[0]?.ttlMs).toBe(ms);
  });

  it('may share settings by anchors and aliases', () => {
    const text = withNamespace('replicas: &n 3', 'partitions: 4').concat(
      '  - { name: users, strategy: leaderless, replicas: *n }\n',
    );
    expect(parseClusterConfig(text, 'c').namespaces.map((n) => n.replicas)).toEqual([3, 3]);
  });
});

describe('a promise that cannot be kept is refused', () => {
  it.each<[string, string[], string]>([
    [
      'more replicas than nodes',
      ['replicas: 5'],
      'c.yaml:10: namespace photos: 5 replicas need as many nodes, and there are only 3 nodes: add nodes or set replicas to 3',
    ],
    [
      'R > N',
      ['read: 4'],
      'c.yaml:10: namespace photos: read 4 is more than its 3 replicas: no request could ever succeed',
    ],
    [
      'W > N',
      ['replicas: 2', 'write: 3'],
      'c.yaml:11: namespace photos: write 3 is more than its 2 replicas: no request could ever succeed',
    ],
    [
      'R + W <= N',
      ['read: one', 'write: 2', 'guarantee: read-your-writes'],
      'c.yaml:12: namespace photos: guarantee read-your-writes cannot be kept: read one (1) + write 2 = 3 must exceed its 3 replicas, or a read may ask only replicas that missed the write; raise read or write',
    ],
    [
      'buffered writes',
      ['durability: buffered', 'guarantee: read-your-writes'],
      'c.yaml:11: namespace photos: guarantee read-your-writes cannot be kept: with durability: buffered a machine that crashes may take back a write that was acknowledged; use sync',
    ],
    [
      'sloppy quorums with nobody to stand in',
      ['sloppy: true'],
      'c.yaml:10: namespace photos: sloppy: true needs nodes beyond the replicas: with 3 replicas on as many nodes no node is left to stand in; add nodes or set it to false',
    ],
  ])('%s', (_what, settings, problem) => {
    expect(problemsOf(withNamespace(...settings))).toEqual([problem]);
  });

  it('sloppy beside a guarantee, with both reasons', () => {
    const problems = problemsOf(withNamespace('guarantee: read-your-writes', 'sloppy: true'));
    expect(problems).toHaveLength(2);
    expect(problems[0]).toContain(
      'c.yaml:10: namespace photos: guarantee read-your-writes cannot be kept: with',
    );
    expect(problems[1]).toContain(
      'c.yaml:11: namespace photos: sloppy: true needs nodes beyond the replicas',
    );
  });

  it('but sloppy with a node to spare is fine', () => {
    const text = withNamespace('replicas: 2', 'sloppy: true');
    expect(problemsOf(text)).toEqual([]);
    expect(parseClusterConfig(text, 'c').namespaces[0]).toMatchObject({ sloppy: true });
  });

  it('the default of three replicas on one node, at the line of the namespace', () => {
    const text = `cluster: c
nodes: [{ id: a, port: 1, dataDir: a }]
namespaces:
  - name: photos
    strategy: leaderless
`;
    expect(problemsOf(text)).toEqual([
      'c.yaml:4: namespace photos: 3 replicas need as many nodes, and there is only 1 node: add nodes or set replicas to 1',
    ]);
  });

  it('but R + W > N with the guarantee, and R + W <= N without, are fine', () => {
    const kept = ['read: all', 'write: one', 'guarantee: read-your-writes'];
    expect(problemsOf(withNamespace(...kept))).toEqual([]);
    expect(problemsOf(withNamespace('read: one', 'write: one'))).toEqual([]);
  });
});

describe('a wrong setting is named with its line and reason', () => {
  it.each<[string, string]>([
    ['partitions: 12', 'partitions must be a power of two, not 12: the nearest are 8 and 16'],
    ['partitions: 0', 'partitions must be a whole number from 1 to 4096, not 0'],
    ['partitions: 8192', 'partitions must be a whole number from 1 to 4096, not 8192'],
    ['replicas: 1.5', 'replicas must be a whole number 1 or more, not 1.5'],
    ['replicas: .inf', 'replicas must be a whole number 1 or more, not Infinity'],
    ['read: most', 'read must be one, quorum, all or a whole number of replicas, not "most"'],
    ['read: 0', 'read must be one, quorum, all or a whole number of replicas, not 0'],
    [
      'write: qourum',
      'write must be one, quorum, all or a whole number of replicas, not "qourum" (did you mean quorum?)',
    ],
    ['write: [one]', 'write must be a single value, not a list'],
    [
      'conflict: sibling',
      'conflict must be siblings, lww, counter or set, not "sibling" (did you mean siblings?)',
    ],
    ['durability: none', 'durability must be sync or buffered, not "none"'],
    ['sloppy: "no"', 'sloppy must be true or false, not "no"'],
    [
      'ttl: 3 weeks',
      'ttl must be a duration such as 30d, 12h, 15m, 90s or 500ms, or a whole number of milliseconds, not "3 weeks"',
    ],
    [
      'ttl: -5',
      'ttl must be a duration such as 30d, 12h, 15m, 90s or 500ms, or a whole number of milliseconds, not -5',
    ],
    ['ttl: 40000d', 'ttl must be at most 36500d, not "40000d"'],
    ['ttl:', 'ttl has no value'],
    ['guarantee: strong', 'guarantee must be read-your-writes or linearizable, not "strong"'],
    ['partition: 8', 'unknown key partition (did you mean partitions?)'],
    ['Conflict: lww', 'unknown key Conflict (did you mean conflict?)'],
    [
      'colour: red',
      'unknown key colour; known here are name, strategy, replicas, partitions, read, write, conflict, durability, sloppy, ttl, guarantee',
    ],
    [
      '__proto__: 1',
      'unknown key __proto__; known here are name, strategy, replicas, partitions, read, write, conflict, durability, sloppy, ttl, guarantee',
    ],
    ['? [a]\n    : 1', 'a key must be plain text'],
    ['read: *nowhere', 'the alias *nowhere refers to no anchor before it'],
  ])('%s', (setting, reason) => {
    const problems = problemsOf(withNamespace(setting));
    const own = reason.startsWith('a key') || reason.startsWith('the alias');
    expect(problems[0]).toBe(`c.yaml:10: ${own ? '' : 'namespace photos: '}${reason}`);
  });

  it.each<[string, string]>([
    ['{ id: n4, port: 99999, dataDir: d }', 'port must be a whole number from 1 to 65535, not 99999'],
    ['{ id: n4, port: "7104", dataDir: d }', 'port must be a whole number from 1 to 65535, not "7104"'],
    ['{ id: n4, port: 7104 }', 'dataDir is missing'],
    ['{ id: n4, port: 7104, datadir: d }', 'unknown key datadir (did you mean dataDir?)'],
    ['{ id: n4, port: 7104, dataDir: d, weight: 0 }', 'weight must be a number above 0, not 0'],
    ['{ id: n4, port: 7104, dataDir: d, weight: .nan }', 'weight must be a number above 0, not NaN'],
    [
      '{ id: n4, port: 7104, dataDir: d, host: 0.0.0.0 }',
      'host must be an address that other nodes and clients can connect to, and "0.0.0.0" is none',
    ],
    [
      '{ id: n4, port: 7104, dataDir: d, host: "a b" }',
      'host must be a host name or an IP address, not "a b"',
    ],
    ['{ id: n4, port: 7104, dataDir: d, zone: 7 }', 'zone must be text, not 7: put it in quotes'],
    ['{ id: n1, port: 7104, dataDir: d }', 'id n1 is taken: see line 3'],
    [
      '{ id: n4, port: 7101, host: localhost, dataDir: d }',
      'localhost:7101 is the address of another node: see line 3',
    ],
    [
      '{ id: n4, port: 7104, dataDir: x/..//n2/ }',
      'dataDir x/..//n2/ is the folder of another node on 127.0.0.1: see line 4',
    ],
  ])('node %s', (node, reason) => {
    const text = withNamespace().replace('namespaces:\n\n', `  - ${node}\nnamespaces:\n`);
    expect(problemsOf(text)).toContain(`c.yaml:6: node ${node.slice(6, 8)}: ${reason}`);
  });

  it('one folder name on two hosts is two folders', () => {
    const node = '  - { id: n4, port: 7101, host: other.example.org, dataDir: n1 }';
    expect(problemsOf(withNamespace().replace('namespaces:\n\n', `${node}\nnamespaces:\n`))).toEqual([]);
  });

  it('what a typed policy has no meaning for', () => {
    const flow = (settings: string): string[] =>
      problemsOf(`${withNamespace()}  - { name: likes, strategy: leaderless, ${settings} }\n`);
    expect(flow('conflict: counter, ttl: 1h, durability: buffered')).toEqual([
      'c.yaml:10: namespace likes: conflict: counter does not go with ttl: a sum cannot forget a part of itself; leave ttl out',
      'c.yaml:10: namespace likes: conflict: counter does not go with durability: buffered: every unclean stop of a node would leave one more sum in its counters, and they hold 64; use sync',
    ]);
    expect(flow('conflict: set, ttl: 1h')).toEqual([
      'c.yaml:10: namespace likes: conflict: set does not go with ttl: its elements do not expire; leave ttl out',
    ]);
    expect(flow('conflict: set, durability: buffered')).toEqual([]);
    expect(flow('conflict: counter')).toEqual([]);
  });

  it('a namespace twice', () => {
    const text = withNamespace().concat('  - { name: photos, strategy: leaderless }\n');
    expect(problemsOf(text)).toEqual(['c.yaml:10: namespace photos: name photos is taken: see line 8']);
  });

  it('a strategy that comes later, a misspelt one, and none', () => {
    const strategy = (line: string): string[] =>
      problemsOf(withNamespace().replace('strategy: leaderless', line));
    expect(strategy('strategy: multi-leader')).toEqual([
      'c.yaml:9: namespace photos: strategy multi-leader is not available yet: use leaderless or leader-follower',
    ]);
    expect(strategy('strategy: leader-less')).toEqual([
      'c.yaml:9: namespace photos: strategy must be leaderless or leader-follower, not "leader-less" (did you mean leaderless?)',
    ]);
    expect(strategy('replicas: 3')).toEqual(['c.yaml:8: namespace photos: strategy is missing']);
  });

  it('all problems at once, in the order of the file', () => {
    const text = `cluster: "two words"
epoch: 0
node:
  - id: a
nodes:
  - { id: a, port: 0, dataDir: d }
  - { id: a, port: 2, dataDir: d, zones: east }
  - just text
namespaces:
  - { name: Photos, strategy: leaderless }
  - { name: users, strategy: leaderless, replicas: 4, write: 9, partitions: 3 }
`;
    expect(problemsOf(text).map((p) => p.replace('c.yaml:', ''))).toEqual([
      '1: cluster must be 1 to 64 letters, digits, dots, dashes or underscores and start with a letter or digit, not "two words"',
      '2: epoch must be a whole number 1 or more, not 0',
      '3: unknown key node (did you mean nodes?)',
      '6: node a: port must be a whole number from 1 to 65535, not 0',
      '7: node a: unknown key zones (did you mean zone?)',
      '7: node a: id a is taken: see line 6',
      '7: node a: dataDir d is the folder of another node on 127.0.0.1: see line 6',
      '8: node number 3: must be a mapping with id, host, port, zone, weight, dataDir',
      '10: namespace Photos: name must be 1 to 64 lower-case letters, digits or dashes and not start with a dash, not "Photos"',
      '11: namespace users: partitions must be a power of two, not 3: the nearest are 2 and 4',
      '11: namespace users: 4 replicas need as many nodes, and there are only 3 nodes: add nodes or set replicas to 3',
      '11: namespace users: write 9 is more than its 4 replicas: no request could ever succeed',
    ]);
  });

  it('a secret is never shown', () => {
    const text = `credentials: [hunter2]\n${withNamespace()}`;
    expect(problemsOf(text)).toEqual(['c.yaml:1: credentials must be a single value, not a list']);
    expect(problemsOf(text.replace('[hunter2]', '31337'))).toEqual([
      'c.yaml:1: credentials must be text: put it in quotes',
    ]);
  });
});

describe('what is no config', () => {
  it.each<[string, string, string]>([
    ['empty', '', '1: the file is empty: it must name a cluster, its nodes and namespaces'],
    [
      'only comments',
      '# nothing\n',
      '1: the file is empty: it must name a cluster, its nodes and namespaces',
    ],
    [
      'prose',
      'hello world',
      '1: not a cluster config: it must be a mapping with cluster, nodes and namespaces',
    ],
    [
      'binary',
      '\u0000\u0001',
      '1: not a cluster config: it must be a mapping with cluster, nodes and namespaces',
    ],
    ['a tab', 'cluster:\n\t- b', '2: not valid YAML: tabs are not allowed as indentation'],
    ['an open quote', 'cluster: "x', '1: not valid YAML: missing closing "quote'],
    [
      'two documents',
      'cluster: a\n---\ncluster: b\n',
      '2: a second YAML document starts here: keep one per file (remove the ---)',
    ],
    ['an unknown tag', 'cluster: !foo 1', '1: not valid YAML: unresolved tag: !foo'],
  ])('%s', (_what, text, problem) => {
    expect(problemsOf(text)).toEqual([`c.yaml:${problem}`]);
  });

  it('a key given twice, with the line of the first, beside the other problems', () => {
    const problems = problemsOf(withNamespace('read: one', 'partitions: 3', 'read: all'));
    expect(problems).toHaveLength(2);
    expect(problems[0]).toContain('c.yaml:11: namespace photos: partitions must be a power of two');
    expect(problems[1]).toBe('c.yaml:12: read is given twice: first on line 10');
  });

  it('lists that are missing, empty or no lists', () => {
    expect(problemsOf('cluster: a\nnodes: []\n')).toEqual([
      'c.yaml:1: namespaces is missing: it must list at least one',
      'c.yaml:2: nodes is empty: it must list at least one',
    ]);
    expect(problemsOf('cluster: a\nnodes: {}\nnamespaces:\n')).toEqual([
      'c.yaml:2: nodes is not a list: it must list at least one',
      'c.yaml:3: namespaces is not a list: it must list at least one',
    ]);
  });

  it('aliases that expand without end cost nothing', () => {
    expect(
      problemsOf('cluster: a\nnodes: &n [*n, *n]\nnamespaces: &m [{ name: *m }]\n').length,
    ).toBeGreaterThan(0);
    const bomb = Array.from({ length: 30 }, (_, i) => `a${i}: &a${i} [${`*a${i - 1}, `.repeat(i && 9)}1]`);
    expect(problemsOf(`${bomb.join('\n')}\nnodes: *a29\n`).length).toBeGreaterThan(30);
  });

  it('nesting beyond the stack is refused, not thrown', () => {
    expect(problemsOf('['.repeat(200_000))[0]).toMatch(/^c\.yaml:1: /);
  });

  it('any text is read or refused with ConfigInvalid, and so is any mutation of a sound one', () => {
    const sound = withNamespace('read: one', 'ttl: 1h');
    const mutated = fc
      .tuple(fc.nat(sound.length), fc.nat(12), fc.string({ maxLength: 6, unit: 'grapheme' }))
      .map(([at, cut, put]) => sound.slice(0, at) + put + sound.slice(at + cut));
    const check = (text: string): void => void problemsOf(text);
    fc.assert(fc.property(fc.string({ maxLength: 60 }), check), { numRuns: 500 });
    fc.assert(fc.property(mutated, check), { numRuns: 1_500 });
  });
});

describe('the shipped configs', () => {
  const shipped = (name: string) => {
    const file = new URL(`../../cluster-configs/${name}`, import.meta.url);
    return parseClusterConfig(readFileSync(file, 'utf8'), name);
  };

  it.each<[string, number, number]>([
    ['local-3.yaml', 3, 3],
    ['zones-6.yaml', 6, 3],
    ['single.yaml', 1, 1],
    ['leaderless-5-sloppy.yaml', 5, 3],
  ])('%s holds %i nodes and the namespaces of the photo store with %i replicas', (name, nodes, replicas) => {
    const config = shipped(name);
    expect(config.cluster).toBe(name.replace('.yaml', ''));
    expect(config.nodes).toHaveLength(nodes);
    const policies = config.namespaces.map((n) => [
      n.name,
      n.strategy === 'leaderless' && n.conflict,
      n.replicas,
    ]);
    expect(policies).toEqual([
      ['photos', 'siblings', replicas],
      ['features', 'lww', replicas],
      ['users', 'lww', replicas],
      ['default', 'siblings', replicas],
      ['likes', 'counter', replicas],
      ['tags', 'set', replicas],
      ['cache', 'lww', replicas],
    ]);
    expect(config.namespaces.at(-1)).toMatchObject({ durability: 'buffered', ttlMs: 3_600_000 });
  });

  it('leader-follower-3 and mixed-3 hold the namespaces of the photo store and the CLI', () => {
    const strategies = (name: string) =>
      Object.fromEntries(shipped(name).namespaces.map((n) => [n.name, n.strategy]));
    const leader = 'leader-follower';
    expect(strategies('leader-follower-3.yaml')).toEqual({
      photos: leader,
      features: leader,
      users: leader,
      default: leader,
      cache: leader,
    });
    const any = 'leaderless';
    expect(strategies('mixed-3.yaml')).toEqual({
      photos: any,
      features: any,
      users: leader,
      default: leader,
      likes: any,
      tags: any,
      cache: any,
    });
  });

  it('local-3 and zones-6 lie where their comments say', () => {
    expect(shipped('local-3.yaml').nodes.map((n) => [n.port, n.dataDir])).toEqual([
      [7101, './.trefoil/n1'],
      [7102, './.trefoil/n2'],
      [7103, './.trefoil/n3'],
    ]);
    const zones = shipped('zones-6.yaml').nodes.map((n) => n.zone);
    expect(zones).toEqual(['east', 'east', 'north', 'north', 'west', 'west']);
  });

  it('can be used together: no port is given twice among them', () => {
    const files = [
      'local-3.yaml',
      'zones-6.yaml',
      'single.yaml',
      'leaderless-5-sloppy.yaml',
      'leader-follower-3.yaml',
      'mixed-3.yaml',
    ];
    const ports = files.flatMap((f) => shipped(f).nodes.map((n) => n.port));
    expect(new Set(ports).size).toBe(ports.length);
  });
});
