/** An explanation as a person reads it: who coordinated, what each replica said, the version that a condition may name, what it guarantees. */
import type { Explanation } from '../protocol/messages.js';

/** `version`: of the key, where it is led and not told otherwise. */
export function explanationLines(explain: Explanation, version?: number): string[] {
  const width = Math.max(...explain.replicas.map((replica) => replica.node.length), 0);
  return [
    `coordinator  ${explain.coordinator} (${explain.strategy}, ${explain.required})`,
    ...explain.replicas.map(({ node, answer }) => `  ${node.padEnd(width)}  ${answer}`),
    ...(explain.repaired.length > 0 ? [`repaired     ${explain.repaired.join(', ')}`] : []),
    ...(version === undefined ? [] : [`version      ${version === 0 ? '0, absent' : version}`]),
    `guarantee    ${explain.guarantee}`,
  ];
}
