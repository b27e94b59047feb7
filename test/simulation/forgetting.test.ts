/** The checks of an experiment that look at more than its history: what is left when all is deleted, and what nodes counted. */
import { describe, expect, it } from 'vitest';
import { simulate, type RunResult } from '../../chaos/run/simulate.js';
import { smallExperiment } from '../support/experiments.js';

const PACE = '  nodes: 3\n  pace: { compareMs: 300, pruneMs: 300, retryAgeMs: 1000 }';

function run(checks: string, more = '', pace = PACE): Promise<RunResult> {
  const experiment = smallExperiment(`durationMs: 1000\n${more}`, [
    'promised: [converged]',
    `promised: [${checks}]`,
  ]);
  const { cluster } = smallExperiment('', ['  nodes: 3', pace]);
  return simulate({ experiment: { ...experiment, cluster }, seed: 1 });
}

const checkOf = ({ checks }: RunResult, name: string) => checks.find((check) => check.name === name)?.verdict;

describe('forgotten', () => {
  it('holds once nothing is left of the keys, and the history ends before they are deleted', async () => {
    const result = await run('converged, acknowledged-kept, forgotten');
    expect(result.verdict).toBe('valid');
    expect(checkOf(result, 'forgotten')?.reason).toBe('nothing is left of the keys once all are deleted');
    expect(result.history.at(-1)).toMatchObject({ process: 'judge', f: 'read', type: 'ok' });
    expect(result.counters['tombstones_removed']).toBeGreaterThan(0);
  });

  it('is broken where something is left when the time is up, and tells what is where', async () => {
    const result = await run('converged, forgotten', 'heal: { forgetWithinMs: 2000 }\n', '  nodes: 3');
    expect(result.verdict).toBe('invalid');
    const { reason, witness } = checkOf(result, 'forgotten') ?? {};
    expect(reason).toBe('15 records are left after every key was deleted');
    expect(witness?.lines).toContain('n1 has a record of k0');
  });
});

describe('stand-ins-used', () => {
  it('is broken where no home was missed', async () => {
    const result = await run('converged, stand-ins-used');
    expect(checkOf(result, 'stand-ins-used')).toEqual({
      validity: 'invalid',
      reason: 'no stand-in kept anything for a home',
    });
  });
});

describe('what nodes counted', () => {
  it('is not lost with those that crash or stop', async () => {
    const crash = '{ fault: crash, node: n1, atMs: 900, forMs: 50 }';
    const restart = '{ fault: restart, node: n2, atMs: 900, forMs: 50 }';
    const [calm, ended] = [
      await run('converged'),
      await run('converged', `faults: { schedule: [${crash}, ${restart}] }\n`),
    ];
    const client = (result: RunResult): number => result.counters['requests'] ?? 0;
    expect(client(calm)).toBeGreaterThan(10);
    expect(client(ended)).toBeGreaterThan(client(calm) * 0.8);
  });
});
