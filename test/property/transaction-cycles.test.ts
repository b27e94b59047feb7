/** The cycle search against one that lists all cycles of small graphs. */
import { describe, expect, it } from 'vitest';
import { addAntiDependencies } from '../../chaos/checkers/transactions/anti-dependencies.js';
import { findCycles } from '../../chaos/checkers/transactions/cycle-search.js';
import { GraphBuilder, REALTIME, RW, WR, WW } from '../../chaos/checkers/transactions/dependency-graph.js';
import { SeededRandom } from '../../src/simulation/random.js';

type Edge = readonly [from: number, to: number, kind: number];

const GRAPHS = 600;

function graphOf(nodes: number, edges: readonly Edge[]) {
  const builder = new GraphBuilder(nodes);
  for (const [from, to, kind] of edges) builder.add(from, to, kind);
  return builder.build();
}

function randomEdges(random: SeededRandom, nodes: number): Edge[] {
  const kinds = [WW, WR, RW, RW, REALTIME];
  return Array.from({ length: 2 + random.integer(2 * nodes) }, (): Edge => {
    return [random.integer(nodes), random.integer(nodes), kinds[random.integer(kinds.length)]!];
  }).filter(([from, to]) => from !== to);
}

/** The names of all simple cycles, without and with real time. */
function allCycles(edges: readonly Edge[]): Set<string> {
  const names = new Set<string>();
  const walk = (path: readonly Edge[], seen: ReadonlySet<number>): void => {
    const start = path[0]![0];
    const at = path.at(-1)![1];
    if (at === start) {
      // Time alone never runs in a circle; a random graph may.
      if (path.some(([, , kind]) => kind !== REALTIME)) names.add(nameOf(path.map(([, , kind]) => kind)));
      return;
    }
    if (seen.has(at)) return;
    for (const edge of edges) if (edge[0] === at) walk([...path, edge], new Set([...seen, at]));
  };
  for (const edge of edges) walk([edge], new Set([edge[0]]));
  return names;
}

function nameOf(kinds: readonly number[]): string {
  const antis = kinds.filter((kind) => kind === RW).length;
  const adjacent = kinds.some((kind, i) => kind === RW && kinds[(i + 1) % kinds.length] === RW);
  const data =
    antis === 0
      ? kinds.includes(WR)
        ? 'G1c'
        : 'G0'
      : antis === 1
        ? 'G-single'
        : adjacent
          ? 'G2-item'
          : 'G-nonadjacent';
  return kinds.includes(REALTIME) ? `${data}-realtime` : data;
}

describe('the cycle search', () => {
  it('finds what listing all cycles finds, and only that', () => {
    const random = new SeededRandom(1);
    const seen = new Map<string, number>();
    for (let round = 0; round < GRAPHS; round += 1) {
      const nodes = 2 + random.integer(5);
      const edges = randomEdges(random, nodes);
      const expected = allCycles(edges);
      for (const time of ['none', 'realtime'] as const) {
        const { cycles } = findCycles(graphOf(nodes, edges), time, () => true);
        const found = new Set(cycles.map((c) => (c.time === 'none' ? c.anomaly : `${c.anomaly}-${c.time}`)));
        for (const name of found) {
          expect(expected, `round ${round}: ${name}`).toContain(name);
          seen.set(name, (seen.get(name) ?? 0) + 1);
        }
        const has = (names: Iterable<string>, ...wanted: string[]): boolean =>
          [...names].some((n) => wanted.includes(n));
        for (const wanted of [['G0'], ['G1c'], ['G-single'], ['G-single', 'G-nonadjacent', 'G1c', 'G0']]) {
          expect(has(found, ...wanted), `round ${round}: ${wanted.join()}`).toBe(has(expected, ...wanted));
        }
        const any = [...expected].some((n) => time === 'realtime' || !n.endsWith('realtime'));
        expect(found.size > 0, `round ${round}`).toBe(any);
      }
    }
    // The graphs were of all sorts; only G-nonadjacent-realtime is too rare in small ones.
    for (const name of ['G0', 'G1c', 'G-single', 'G2-item']) {
      expect(seen.get(name), name).toBeGreaterThan(2);
      expect(seen.get(`${name}-realtime`), `${name}-realtime`).toBeGreaterThan(2);
    }
    expect(seen.get('G-nonadjacent')).toBeGreaterThan(2);
  });

  it('gives each cycle as edges that close, without a transaction twice', () => {
    const random = new SeededRandom(2);
    for (let round = 0; round < GRAPHS; round += 1) {
      const nodes = 2 + random.integer(6);
      const edges = randomEdges(random, nodes);
      for (const { path } of findCycles(graphOf(nodes, edges), 'realtime', () => true).cycles) {
        path.forEach((d, i) => {
          expect(d.to).toBe(path[(i + 1) % path.length]!.from);
          expect(edges.some(([from, to, kind]) => from === d.from && to === d.to && kind === d.kind)).toBe(
            true,
          );
        });
        expect(new Set(path.map((d) => d.from)).size).toBe(path.length);
      }
    }
  });

  it('goes deeper than the stack', () => {
    const nodes = 200_000;
    const edges = Array.from({ length: nodes }, (_, i): Edge => [i, (i + 1) % nodes, WW]);
    expect(findCycles(graphOf(nodes, edges), 'none', () => true).cycles[0]?.path.length).toBe(nodes);
  });
});

describe('anti-dependencies through helpers', () => {
  it('relate every reader to every later writer but itself', () => {
    const random = new SeededRandom(3);
    for (let round = 0; round < 200; round += 1) {
      const nodes = 12;
      const readers = [...new Set(Array.from({ length: 6 }, () => random.integer(nodes)))];
      const writers = Array.from({ length: 6 }, (_, i) => ({
        transaction: random.integer(nodes),
        version: i,
        note: 'observed' as const,
      }));
      const builder = new GraphBuilder(nodes);
      addAntiDependencies(builder, 0, -1, readers, writers);
      const graph = builder.build();
      const found = new Set<string>();
      const follow = (start: number, path: readonly number[], node: number): void => {
        for (let e = graph.first[node]!; e < graph.first[node + 1]!; e += 1) {
          const to = graph.to[e]!;
          if (graph.isHelper(to)) follow(start, [...path, e], to);
          else
            for (const d of graph.dependencies([...path, e]))
              found.add(`${d.from} ${d.to} ${d.after} ${d.kind}`);
        }
      };
      for (const reader of readers) follow(reader, [], reader);
      const expected = readers.flatMap((r) =>
        writers.filter((w) => w.transaction !== r).map((w) => `${r} ${w.transaction} ${w.version} ${RW}`),
      );
      expect([...found].sort()).toEqual([...new Set(expected)].sort());
    }
  });
});
