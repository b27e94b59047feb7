/** How the checkers of this folder tell a cycle: one line for each step, and at the end that it returns to where it began. */
import { show } from '../promises/witness-lines.js';
import type { Verdict, Witness } from '../verdict.js';
import { BEFORE_NEXT, OVERWRITTEN, READS_FROM, SESSION, type Edge } from './order-graph.js';
import type { RegisterHistory, RegisterNode } from './register-history.js';

export function tellNode(history: RegisterHistory, number: number): string {
  const node = history.nodes[number] as RegisterNode;
  const { operation } = node;
  const key = history.keys[node.key] ?? '';
  const name = key === '' ? 'the object' : key;
  const what =
    operation.f === 'read'
      ? `read ${name} = ${show(operation.output)}`
      : operation.f === 'cas'
        ? `cas ${name} ${show(operation.input)}`
        : `write ${name} = ${show(operation.input)}`;
  return `[process ${operation.process}: ${what}]`;
}

export function cycleWitness(history: RegisterHistory, cycle: readonly Edge[]): Witness {
  const involved = new Set<number>();
  for (const edge of cycle) {
    involved.add(edge.from);
    if (edge.because >= 0) involved.add(edge.because);
  }
  return {
    lines: [...cycle.map((edge) => tellEdge(history, edge)), 'so the first would come before itself'],
    operations: [...involved].map((number) => (history.nodes[number] as RegisterNode).operation),
    cycle: cycle.map((edge) => ({
      from: (history.nodes[edge.from] as RegisterNode).operation,
      to: (history.nodes[edge.to] as RegisterNode).operation,
      relation: RELATIONS.get(edge.reason) ?? 'before',
      reason: tellEdge(history, edge),
    })),
  };
}

const RELATIONS: ReadonlyMap<Edge['reason'], string> = new Map([
  [SESSION, 'session'],
  [READS_FROM, 'reads from'],
  [OVERWRITTEN, 'overwritten'],
  [BEFORE_NEXT, 'read older'],
]);

function tellEdge(history: RegisterHistory, { from, to, reason, because }: Edge): string {
  const line = `${tellNode(history, from)} comes before ${tellNode(history, to)}`;
  switch (reason) {
    case SESSION:
      return `${line}: the same process did them in this order`;
    case READS_FROM:
      return `${line}: the second was shown what the first wrote`;
    case OVERWRITTEN:
      return `${line}: the first was known to ${tellNode(history, because)}, which was shown the second`;
    case BEFORE_NEXT:
      return `${line}: the first was shown an older value than the second wrote`;
  }
}

export function thinAirVerdict(history: RegisterHistory): Verdict | undefined {
  const { thinAir } = history;
  if (thinAir === undefined) return undefined;
  return {
    validity: 'invalid',
    reason: `ThinAirRead: a read shows what no write that may have happened wrote`,
    witness: {
      lines: [
        `process ${thinAir.process} read key ${thinAir.key ?? ''} and was shown ${show(thinAir.output)}`,
      ],
      operations: [thinAir],
    },
  };
}
