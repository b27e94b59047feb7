/** Majorities against etcd's vectors (`raft/quorum/testdata`); where their folder is absent, the tests say that they were skipped. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { majorityIndex, majorityOf, voteResult } from '../../src/replication/leader-follower/raft/quorum.js';

const FOLDER = join(process.env['TREFOIL_SHARED'] ?? resolve('../shared'), 'vectors/etcd-raft-quorum');
const present = existsSync(FOLDER);

interface Vector {
  readonly command: string;
  readonly voters: readonly string[];
  /** One for each voter, in order; `_` for one that is not known. */
  readonly given: readonly string[];
  readonly expected: string;
}

/** A command, `----`, and what it says, of which the last line counts. */
function vectorsOf(file: string): Vector[] {
  if (!present) return [];
  const text = readFileSync(join(FOLDER, file), 'utf8').replace(/^#.*$/gm, '');
  return [...text.matchAll(/^(committed|vote)(.*)\n----\n((?:.+\n?)+)/gm)].map(([, name, options, said]) => {
    const list = (key: string): string[] =>
      (new RegExp(`${key}=\\(([^)]*)\\)`).exec(options as string)?.[1] ?? '')
        .split(',')
        .map((word) => word.trim())
        .filter((word) => word !== '');
    const given = list(name === 'vote' ? 'votes' : 'idx');
    const expected = (said as string).trim().split('\n').at(-1) as string;
    return { command: `${name}${options}`, voters: list('cfg'), given, expected };
  });
}

/** Of etcd's that differ on purpose: without voters etcd decides everything, and this code nothing. */
const decided = ({ voters }: Vector): boolean => voters.length > 0;

describe.skipIf(!present)(`etcd's vectors in ${FOLDER}`, () => {
  const commits = vectorsOf('majority_commit.txt').filter(decided);
  const votes = vectorsOf('majority_vote.txt').filter(decided);

  it('are all there', () => {
    expect([commits.length, votes.length]).toEqual([15, 21]);
  });

  it.each(commits.map((vector) => [vector.command, vector] as const))('%s', (_, { given, expected }) => {
    expect(majorityIndex(given.map((word) => (word === '_' ? 0 : Number(word))))).toBe(Number(expected));
  });

  it.each(votes.map((vector) => [vector.command, vector] as const))('%s', (_, { given, expected }) => {
    const count = (word: string): number => given.filter((vote) => vote === word).length;
    expect(voteResult(given.length, count('y'), count('n'))).toBe(
      expected.slice('Vote'.length).toLowerCase(),
    );
  });

  it.skip('joint_commit.txt and joint_vote.txt: there are no joint majorities here');
});

describe('majorities', () => {
  it('decide nothing without voters', () => {
    expect([majorityIndex([]), voteResult(0, 0, 0)]).toEqual([0, 'lost']);
  });

  it('are what a count of the holders of each index says', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 7 }), (acked) => {
        const held = (index: number): boolean => acked.filter((a) => a >= index).length * 2 > acked.length;
        const highest = Math.max(...[0, ...acked].filter((index) => index === 0 || held(index)));
        expect(majorityIndex(acked)).toBe(highest);
      }),
    );
  });

  it('of the same voters always share one', () => {
    for (let voters = 1; voters < 10; voters++) expect(2 * majorityOf(voters)).toBeGreaterThan(voters);
  });
});
