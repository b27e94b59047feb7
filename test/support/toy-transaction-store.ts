/**
 * A toy store of lists or registers that runs transactions step by step, at an isolation that can be broken:
 *
 *     serial           a transaction runs at one moment between its invocation and its completion
 *     stale            the same, but read-only transactions may see an older state
 *     snapshot         reads see the state at the transaction's beginning; it fails if what it wrote was written since
 *     lost-update      the same without that check
 *     read-committed   every read sees what is committed at that moment; writes show at the commit
 *
 * All is drawn from the seed. Some transactions fail, some end unknown, having happened or not.
 */
import type { Operation, Value } from '../../chaos/history/history.js';
import { SeededRandom } from '../../src/simulation/random.js';

export type Isolation = 'serial' | 'stale' | 'snapshot' | 'lost-update' | 'read-committed';
export type Datatype = 'list' | 'register';

type State = ReadonlyMap<string, Value>;
type Step = readonly [f: string, key: string, value: Value];

interface Open {
  readonly process: number;
  readonly invokedAt: number;
  readonly asked: readonly Step[];
  readonly done: Step[];
  readonly own: Map<string, Value[]>;
  begun: { readonly state: State; readonly at: number } | undefined;
  outcome: Operation['outcome'] | undefined;
}

const PROCESSES = 4;
const KEYS = ['x', 'y', 'z'];
const STEPS_MAX = 4;

export function runToyStore(
  seed: number,
  isolation: Isolation,
  datatype: Datatype,
  count: number,
): Operation[] {
  const random = new SeededRandom(seed);
  const operations: Operation[] = [];
  const states: State[] = [new Map()];
  const writtenAt = new Map<string, number>();
  const open: Open[] = [];
  let processes = PROCESSES;
  const free = Array.from({ length: PROCESSES }, (_, i) => i);
  let events = 0;
  let values = 0;

  const now = (): State => states.at(-1)!;
  const began = (t: Open): { readonly state: State; readonly at: number } =>
    (t.begun ??= { state: stateToSee(t), at: states.length });
  const stateToSee = (t: Open): State => {
    if (isolation !== 'stale' || t.asked.some(([f]) => f !== 'r')) return now();
    return states[Math.max(0, states.length - 1 - random.integer(4))]!;
  };
  const look = (t: Open, key: string): Value => {
    const state = isolation === 'read-committed' ? now() : began(t).state;
    return withOwn(state.get(key), t.own.get(key) ?? [], datatype);
  };
  const doStep = (t: Open): void => {
    const [f, key, value] = t.asked[t.done.length]!;
    began(t);
    t.done.push(f === 'r' ? [f, key, look(t, key)] : [f, key, value]);
    if (f !== 'r') t.own.set(key, [...(t.own.get(key) ?? []), value]);
  };
  const commit = (t: Open): void => {
    const snapshot = isolation === 'snapshot' || isolation === 'lost-update';
    const { state, at } = began(t);
    const conflict = [...t.own.keys()].some((key) => (writtenAt.get(key) ?? 0) >= at);
    const luck = random.integer(20);
    t.outcome = luck === 0 || (isolation === 'snapshot' && conflict) ? 'fail' : luck === 1 ? 'info' : 'ok';
    if (t.outcome === 'fail' || (t.outcome === 'info' && random.integer(2) === 0)) return;
    const next = new Map(now());
    for (const [key, own] of t.own) {
      next.set(key, withOwn((snapshot ? state : now()).get(key), own, datatype));
      writtenAt.set(key, states.length);
    }
    states.push(next);
  };
  const advance = (t: Open): void => {
    const atOnce = isolation === 'serial' || isolation === 'stale';
    if (t.outcome === undefined) {
      if (t.done.length < t.asked.length) doStep(t);
      if (atOnce) while (t.done.length < t.asked.length) doStep(t);
      if (t.done.length === t.asked.length && (atOnce || random.integer(2) === 0)) commit(t);
      return;
    }
    open.splice(open.indexOf(t), 1);
    free.push(t.outcome === 'info' ? processes++ : t.process);
    operations.push(operationOf(t, t.outcome, events));
    events += 1;
  };

  for (let begun = 0; begun < count || open.length > 0;) {
    if (begun < count && free.length > 0 && (open.length === 0 || random.integer(3) === 0)) {
      const asked = Array.from({ length: 1 + random.integer(STEPS_MAX) }, (): Step => {
        const key = KEYS[random.integer(KEYS.length)]!;
        if (random.integer(2) === 0) return ['r', key, null];
        values += 1;
        return [datatype === 'list' ? 'append' : 'w', key, values];
      });
      const process = free.splice(random.integer(free.length), 1)[0]!;
      open.push({
        process,
        invokedAt: events,
        asked,
        done: [],
        own: new Map(),
        begun: undefined,
        outcome: undefined,
      });
      events += 1;
      begun += 1;
    } else advance(open[random.integer(open.length)]!);
  }
  operations.sort((a, b) => a.invokedAt - b.invokedAt);
  return operations.map((operation, index) => ({ ...operation, index }));
}

function withOwn(value: Value | undefined, own: readonly Value[], datatype: Datatype): Value {
  if (datatype === 'register') return own.at(-1) ?? value ?? null;
  return [...((value ?? []) as readonly Value[]), ...own];
}

function operationOf(t: Open, outcome: Operation['outcome'], at: number): Operation {
  return {
    index: 0,
    process: t.process,
    f: 'txn',
    key: undefined,
    input: t.asked,
    output: outcome === 'ok' ? t.done : t.asked,
    outcome,
    invokedAt: t.invokedAt,
    completedAt: outcome === 'info' ? Infinity : at,
    invokedNs: NaN,
    completedNs: NaN,
  };
}
