/** Which keys each message of a trace is about: those it names, and for an answer those of the question that it answers. */
import type { TraceMessage } from '../../src/simulation/trace.js';

/** By position. Messages in the order in which they were sent. */
export function exchangeKeys(messages: readonly TraceMessage[]): readonly ReadonlySet<string>[] {
  /** Key of the latest question, by who asked whom and how they called it. */
  const asked = new Map<string, string>();
  return messages.map(({ from, to, carried = [] }) => {
    const keys = new Set<string>();
    for (const { key, exchange, isAnswer } of carried) {
      if (key !== null) {
        keys.add(key);
        if (exchange !== null && !isAnswer) asked.set(`${from} ${to} ${exchange}`, key);
      } else if (isAnswer && exchange !== null) {
        const question = asked.get(`${to} ${from} ${exchange}`);
        if (question !== undefined) keys.add(question);
      }
    }
    return keys;
  });
}
