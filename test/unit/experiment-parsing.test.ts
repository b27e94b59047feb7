/** Experiment files: what they may leave out, and that whatever is wrong in them is told with its line. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkExperiment,
  clusterConfigOf,
  nodeNames,
  parseExperiment,
} from '../../chaos/experiments/experiment.js';
import { experimentNames, loadAllExperiments, loadExperiment } from '../../chaos/experiments/library.js';
import { TrefoilError } from '../../src/core/errors.js';
import { SMALL_EXPERIMENT, smallExperiment } from '../support/experiments.js';

/** What is said of a text that is refused. */
function refusal(text: string): string {
  try {
    parseExperiment(text, 'x.yaml');
  } catch (error) {
    if (!(error instanceof TrefoilError)) throw error;
    expect(error.code).toBe('ConfigInvalid');
    return error.message;
  }
  return 'it was taken';
}

const changed = (from: string, to: string): string => SMALL_EXPERIMENT.replace(from, to);

describe('an experiment', () => {
  it('may leave out what has a default', () => {
    expect(smallExperiment()).toEqual({
      name: 'small',
      summary: 'as small as can be',
      cluster: { nodes: 3, pace: {}, namespaces: [{ name: 'data', strategy: 'leaderless', partitions: 2 }] },
      workload: {
        name: 'siblings',
        namespace: 'data',
        clients: 4,
        rate: 50,
        keys: 5,
        keyChoice: 'uniform',
        session: false,
        timeoutMs: 1_500,
      },
      durationMs: 20_000,
      faults: { pauseMs: [300, 1_800], draw: [], schedule: [] },
      heal: { withinMs: 60_000, by: 'background', forgetWithinMs: 240_000 },
      checks: { promised: ['converged'], reported: [] },
    });
  });

  it('gives a fault that it schedules the defaults of its kind', () => {
    const { faults } = smallExperiment('faults:\n  schedule:\n    - { fault: crash, node: n2, atMs: 5 }\n');
    expect(faults.schedule).toEqual([
      { fault: 'crash', node: 'n2', atMs: 5, forMs: 0, unsynced: 'seeded', powerOff: false },
    ]);
  });

  it('says how long a fault lasts that does nothing in no time', () => {
    const text = 'faults:\n  schedule:\n    - { fault: pause, node: n2, atMs: 5 }\n';
    expect(() => smallExperiment(text)).toThrow(/faults\.schedule\.0.*forMs/);
  });

  it('is the same after a way through a file of results', () => {
    const experiment = loadExperiment('leaderless-everything');
    expect(checkExperiment(JSON.parse(JSON.stringify(experiment)), 'a file')).toEqual(experiment);
  });

  it('describes a cluster that starts, with zones in turn', () => {
    const zoned = smallExperiment('', ['nodes: 3', 'nodes: 3\n  zones: [east, west]']);
    expect(nodeNames(zoned)).toEqual(['n1', 'n2', 'n3']);
    expect(clusterConfigOf(zoned).nodes.map(({ id, zone }) => `${id} ${String(zone)}`)).toEqual([
      'n1 east',
      'n2 west',
      'n3 east',
    ]);
  });
});

describe('what is refused, with its line', () => {
  it.each([
    ['a misspelt field', `${SMALL_EXPERIMENT}duration: 5\n`, 'x.yaml:9: duration: there is no such field'],
    ['a missing field', changed('summary: as small as can be\n', ''), 'x.yaml:1: summary: is missing'],
    [
      'a missing part of a part',
      changed(', namespace: data }', ' }'),
      'x.yaml:7: workload.namespace: is missing',
    ],
    [
      'a name',
      changed('name: small', 'name: Small'),
      'x.yaml:1: name: lower-case letters, digits and dashes',
    ],
    [
      'a number that is a text',
      changed('nodes: 3', 'nodes: three'),
      'x.yaml:4: cluster.nodes: expected number, received string',
    ],
    [
      'a number beyond its limit',
      changed('nodes: 3', 'nodes: 10'),
      'x.yaml:4: cluster.nodes: Too big: expected number to be <=9',
    ],
    [
      'an unknown workload',
      changed('name: siblings', 'name: sibling'),
      'x.yaml:7: workload.name: "sibling" is none of siblings, register, cas-register, counter, set, list-append, bank, photos (did you mean siblings?)',
    ],
    [
      'a namespace that is none',
      changed('namespace: data', 'namespace: dota'),
      "x.yaml:7: workload.namespace: dota is none of the cluster's namespaces (data)",
    ],
    [
      'a workload whose operations the namespace refuses',
      changed('name: siblings', 'name: counter'),
      'x.yaml:7: workload.namespace: the workload counter is for conflict: counter, and data has siblings',
    ],
    [
      'a workload that needs a leader',
      changed('name: siblings', 'name: cas-register'),
      'x.yaml:7: workload.namespace: the workload cas-register is for strategy: leader-follower, and data has siblings',
    ],
    [
      'a read mode where there is no leader',
      changed('namespace: data }', 'namespace: data, read: session }'),
      'x.yaml:7: workload.read: session is for strategy: leader-follower, and data has strategy: leaderless',
    ],
    [
      'an acknowledgement where there is no leader',
      changed('namespace: data }', 'namespace: data, ack: all }'),
      'x.yaml:7: workload.ack: ack is for strategy: leader-follower, and data has strategy: leaderless',
    ],
    [
      'photos without the namespaces of their store',
      changed('name: siblings', 'name: photos'),
      'x.yaml:5: cluster.namespaces: the workload photos is for namespaces photos, features, users; there is no photos, no features, no users',
    ],
    [
      'what the cluster config refuses',
      changed('strategy: leaderless', 'strategy: leaderles'),
      'x.yaml:6: cluster.namespaces.0: namespace data: strategy must be leaderless or leader-follower, not "leaderles" (did you mean leaderless?)',
    ],
    [
      'a check that is asked for twice',
      changed('[converged] }', '[converged], reported: [converged] }'),
      'x.yaml:8: checks.reported.0: converged is named twice',
    ],
    [
      'no pause between faults, without end',
      `${SMALL_EXPERIMENT}faults: { pauseMs: [0, 10] }\n`,
      'x.yaml:9: faults.pauseMs.0: Too small: expected number to be >=10',
    ],
    [
      'a pause that is upside down',
      `${SMALL_EXPERIMENT}faults: { pauseMs: [20, 10] }\n`,
      'x.yaml:9: faults.pauseMs: the first of a range is the smaller one',
    ],
    ['no experiment at all', '- 1\n', 'x.yaml:1: expected object, received array'],
    ['an empty file', '', 'x.yaml:1: expected object, received null'],
    ['two documents', `${SMALL_EXPERIMENT}---\nname: second\n`, /^x\.yaml:9: .*multiple documents/],
    ['a field that is given twice', `${SMALL_EXPERIMENT}name: again\n`, 'x.yaml:9: Map keys must be unique'],
    ['a text that is no YAML', 'name: [small\n', /^x\.yaml:[12]: /],
    ['an alias of nothing', 'name: *small\n', /^x\.yaml:1: cannot be read as YAML: Unresolved alias/],
    ['brackets without end', '['.repeat(20_000), /^x\.yaml:1: /],
  ])('%s', (_what, text, said) => {
    if (typeof said === 'string') expect(refusal(text)).toBe(said);
    else expect(refusal(text)).toMatch(said);
  });

  it('aliases of aliases, before they fill the memory', () => {
    const lists = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (const [name, of] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg', 'ih'].map((pair) => [...pair])) {
      lists.push(
        `${String(name)}: &${String(name)} [${Array(10)
          .fill(`*${String(of)}`)
          .join(', ')}]`,
      );
    }
    expect(refusal(lists.join('\n'))).toContain('Excessive alias count');
  });

  const fault = (where: 'draw' | 'schedule', text: string): string =>
    refusal(
      `${SMALL_EXPERIMENT}faults:\n  ${where}:\n    - { fault: lossy, ${where === 'draw' ? '' : 'atMs: 1, forMs: 9, '}rate: ${where === 'draw' ? '[0, 1]' : '0.1'} }\n    - { ${text} }\n`,
    );

  it.each([
    ['fault: crush', /^x\.yaml:12: faults\.draw\.1\.fault: "crush" is none of .* \(did you mean crash\?\)$/],
    ['fault: lossy, rate: [0, 1.5]', 'x.yaml:12: faults.draw.1.rate.1: Too big: expected number to be <=1'],
    [
      'fault: lossy, rate: [0.5, 0.1]',
      'x.yaml:12: faults.draw.1.rate: the first of a range is the smaller one',
    ],
    ['fault: lossy, rate: 0.5', 'x.yaml:12: faults.draw.1.rate: expected tuple, received number'],
    ['fault: crash, rate: [0, 1]', 'x.yaml:12: faults.draw.1.rate: a fault crash has no rate'],
    ['fault: narrow, bytesPerMs: [0, 1]', /^x\.yaml:12: faults\.draw\.1\.bytesPerMs\.0: Too small/],
    ['fault: crash, weight: 0', 'x.yaml:12: faults.draw.1.weight: Too small: expected number to be >0'],
    ['fault: crash, node: n1', 'x.yaml:12: faults.draw.1.node: there is no such field'],
  ])('a drawn fault: %s', (text, said) => {
    if (typeof said === 'string') expect(fault('draw', text)).toBe(said);
    else expect(fault('draw', text)).toMatch(said);
  });

  const NOBODY = 'there is no node n4 (they are n1, n2, n3)';

  it.each([
    ['fault: pause, atMs: 1, forMs: 9', 'x.yaml:12: faults.schedule.1.node: is missing'],
    ['fault: pause, node: n1, forMs: 9', 'x.yaml:12: faults.schedule.1.atMs: is missing'],
    ['fault: pause, node: n4, atMs: 1, forMs: 9', `x.yaml:12: faults.schedule.1: ${NOBODY}`],
    ['fault: clog, from: n1, to: n4, atMs: 1, forMs: 9', `x.yaml:12: faults.schedule.1: ${NOBODY}`],
    [
      'fault: partition, shape: one, order: [n4, n1], atMs: 1, forMs: 9',
      `x.yaml:12: faults.schedule.1: ${NOBODY}`,
    ],
    [
      'fault: partition, shape: one, order: [n1, n1], atMs: 1, forMs: 9',
      'x.yaml:12: faults.schedule.1.order: a node is named twice',
    ],
    [
      'fault: pause, node: n1, atMs: 20001, forMs: 9',
      'x.yaml:12: faults.schedule.1: it begins at 20001, after durationMs 20000',
    ],
    [
      'fault: pause, node: n1, atMs: 1, forMs: 9, rate: 1',
      'x.yaml:12: faults.schedule.1.rate: there is no such field',
    ],
  ])('a scheduled fault: %s', (text, said) => {
    expect(fault('schedule', text)).toBe(said);
  });

  it('a fault between nodes where there is but one', () => {
    const alone = changed('nodes: 3', 'nodes: 1').replace('partitions: 2', 'partitions: 2, replicas: 1');
    expect(refusal(`${alone}faults: { draw: [{ fault: crash }, { fault: clog }] }\n`)).toBe(
      'x.yaml:9: faults.draw.1: clog is between nodes, and there is only one',
    );
  });

  it('every problem at once', () => {
    const text = `${changed('nodes: 3', 'nodes: 0')}durationMs: 1\n`;
    expect(refusal(text).split('\n')).toHaveLength(2);
  });
});

describe('the library', () => {
  it('has experiments, each in the file of its name', () => {
    const all = loadAllExperiments();
    expect(all.length).toBeGreaterThan(15);
    expect(all.map(({ name }) => name)).toEqual(experimentNames());
  });

  it('reads a file, and names it in its complaints as it was named', () => {
    const folder = mkdtempSync(join(tmpdir(), 'trefoil-experiment-'));
    try {
      const file = join(folder, 'mine.yaml');
      writeFileSync(file, SMALL_EXPERIMENT);
      expect(loadExperiment(file).name).toBe('small');
      writeFileSync(file, 'name: small\n');
      expect(() => loadExperiment(file)).toThrow(`${file}:1: summary: is missing`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    ['no-such', 'there is no experiment no-such; trefoil sim list names those that come along'],
    ['./no-such.yaml', 'there is no file ./no-such.yaml; trefoil sim list names those that come along'],
  ])('says that there is no %s', (name, said) => {
    expect(() => loadExperiment(name)).toThrow(said);
  });
});
