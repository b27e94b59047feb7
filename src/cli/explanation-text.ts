/** An explanation as a person reads it: who coordinated, what each replica said, what it guarantees. */
import type { Explanation } from '../protocol/messages.js';

export function explanationLines(explain: Explanation): string[] {
  const width = Math.max(...explain.replicas.map((replica) => replica.node.length), 0);
  return [
    `coordinator  ${explain.coordinator} (${explain.strategy}, ${explain.required})`,
    ...explain.replicas.map(({ node, answer }) => `  ${node.padEnd(width)}  ${answer}`),
    ...(explain.repaired.length > 0 ? [`repaired     ${explain.repaired.join(', ')}`] : []),
    `guarantee    ${explain.guarantee}`,
  ];
}
