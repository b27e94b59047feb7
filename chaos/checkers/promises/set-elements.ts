/**
 * A set's elements, where an add wins over a concurrent remove. Per element and read:
 *
 *     from nowhere   shown, though no add of it that did not fail had begun
 *     lost           not shown, though an add was acknowledged before the read, and every remove that began before
 *                    the read ended had ended before that add began
 *     back           shown, though a remove that was acknowledged before the read had begun after all adds had ended
 *     twice          listed more than once
 *
 * A remove that overlaps an add may have observed it or not: between the two, both answers pass. A remove whose `seen` is known
 * has removed only if the element is among what it had seen.
 */
import type { Operation, Value } from '../../history/history.js';
import type { Verdict } from '../verdict.js';
import { identityOf, JUDGE_DEFAULT, shownBy, type ReadPromiseOptions } from './key-ledger.js';
import { LatestBefore } from './latest-before.js';
import { began, count, ended, fate, nameOf, show, Violations, type Violation } from './witness-lines.js';

export interface SetOptions extends ReadPromiseOptions {
  /** Whether a remove takes away every add acknowledged before it began; true by default. */
  readonly removesObserveAcknowledged?: boolean;
}

export function checkSetElements(operations: readonly Operation[], options: SetOptions = {}): Verdict {
  const judge = options.judge ?? JUDGE_DEFAULT;
  const violations = new Violations();
  const sets = setsOf(operations);
  let unread: string | undefined;
  let reads = 0;
  for (const [key, set] of sets) {
    const final = set.reads.findLast((read) => read.process === judge);
    if (final === undefined && set.acknowledged.length > 0) unread ??= key;
    const sweep = new SetSweep(key, set, violations);
    for (const read of set.reads) {
      reads++;
      const quorum = read === final || options.isQuorumRead?.(read) !== false;
      sweep.judge(read, quorum, options.removesObserveAcknowledged !== false);
    }
  }
  if (unread !== undefined && violations.count === 0)
    return { validity: 'unknown', reason: `${nameOf(unread)} has acknowledged elements and no final read` };
  return violations.verdict({
    validity: 'valid',
    reason: `${count(reads, 'read')} of ${count(sets.size, 'set')} show the elements they must, and no others`,
  });
}

interface Element {
  readonly value: Value;
  /** Those that did not fail, by invocation. */
  readonly adds: Operation[];
  readonly removes: Operation[];
}

interface SetHistory {
  readonly elements: Map<unknown, Element>;
  /** Acknowledged adds, by completion. */
  readonly acknowledged: Operation[];
  readonly reads: Operation[];
}

function setsOf(operations: readonly Operation[]): Map<string, SetHistory> {
  const sets = new Map<string, SetHistory>();
  for (const operation of operations) {
    const key = operation.key ?? '';
    let set = sets.get(key);
    if (set === undefined) sets.set(key, (set = { elements: new Map(), acknowledged: [], reads: [] }));
    if (operation.f === 'read') {
      if (operation.outcome === 'ok') set.reads.push(operation);
    } else if ((operation.f === 'add' || operation.f === 'remove') && operation.outcome !== 'fail') {
      const element = elementOf(set, operation.input);
      (operation.f === 'add' ? element.adds : element.removes).push(operation);
      if (operation.f === 'add' && operation.outcome === 'ok') set.acknowledged.push(operation);
    }
  }
  for (const set of sets.values()) {
    set.acknowledged.sort((a, b) => a.completedAt - b.completedAt);
    set.reads.sort((a, b) => a.invokedAt - b.invokedAt);
  }
  return sets;
}

function elementOf(set: SetHistory, value: Value): Element {
  const identity = identityOf(value);
  let element = set.elements.get(identity);
  if (element === undefined) set.elements.set(identity, (element = { value, adds: [], removes: [] }));
  return element;
}

interface ElementIndex {
  /** Acknowledged removes that had observed it, by completion: the one that began last. */
  readonly removed: LatestBefore<Operation>;
  /** By invocation: the one that ends last. */
  readonly reachOfAdds: LatestBefore<Operation>;
  readonly reachOfRemoves: LatestBefore<Operation>;
}

function indexed({ value, adds, removes }: Element): ElementIndex {
  const invoked = (operation: Operation): number => operation.invokedAt;
  const completed = (operation: Operation): number => operation.completedAt;
  const observed = (remove: Operation): boolean =>
    remove.seen === undefined || remove.seen.some((seen) => identityOf(seen) === identityOf(value));
  const removed = removes.filter((remove) => remove.outcome === 'ok' && observed(remove));
  return {
    removed: new LatestBefore(removed, completed, invoked),
    reachOfAdds: new LatestBefore(adds, invoked, completed),
    reachOfRemoves: new LatestBefore(removes, invoked, completed),
  };
}

/**
 * The reads of one set in the order in which they began. `#standing` holds the elements that an acknowledged add may oblige
 * a read to show; one that was removed leaves it until it is added again, so that a read costs about what it lists.
 */
class SetSweep {
  readonly #key: string;
  readonly #set: SetHistory;
  readonly #violations: Violations;
  readonly #standing = new Map<Element, Operation>();
  readonly #indexes = new Map<Element, ElementIndex>();
  #arrived = 0;

  constructor(key: string, set: SetHistory, violations: Violations) {
    this.#key = key;
    this.#set = set;
    this.#violations = violations;
  }

  judge(read: Operation, quorum: boolean, removes: boolean): void {
    this.#arrive(read.invokedAt);
    const shown = new Set<Element>();
    for (const value of shownBy(read)) {
      const element = this.#set.elements.get(identityOf(value));
      if (element === undefined || !((element.adds[0]?.invokedAt ?? Infinity) < read.completedAt)) {
        this.#tell(`element ${show(value)} of`, 'comes from nowhere', read, element, [
          `no add of ${show(value)} that did not fail had begun`,
        ]);
        continue;
      }
      if (shown.has(element)) this.#tell(`element ${show(value)} of`, 'is there twice', read, element, []);
      shown.add(element);
      if (quorum && removes) this.#checkRemoved(read, element);
    }
    if (quorum) this.#checkLost(read, shown);
  }

  #arrive(beganAt: number): void {
    for (;;) {
      const add = this.#set.acknowledged[this.#arrived];
      if (add === undefined || add.completedAt >= beganAt) return;
      this.#arrived++;
      const element = elementOf(this.#set, add.input);
      const best = this.#standing.get(element);
      if (best === undefined || add.invokedAt > best.invokedAt) this.#standing.set(element, add);
    }
  }

  #checkRemoved(read: Operation, element: Element): void {
    const { removed, reachOfAdds } = this.#indexOf(element);
    const last = removed.before(read.invokedAt);
    const reach = reachOfAdds.before(read.completedAt);
    if (last === undefined || reach === undefined || reach.completedAt > last.invokedAt) return;
    this.#tell(`removed element ${show(element.value)} of`, 'is back', read, element, [
      'every add had ended before the last remove began',
    ]);
  }

  #checkLost(read: Operation, shown: ReadonlySet<Element>): void {
    for (const [element, add] of this.#standing) {
      if (shown.has(element)) continue;
      const { reachOfRemoves } = this.#indexOf(element);
      const mayRemove = (before: number): boolean =>
        (reachOfRemoves.before(before)?.completedAt ?? 0) > add.invokedAt;
      if (!mayRemove(read.completedAt)) {
        this.#tell(`acknowledged element ${show(element.value)} of`, 'is lost', read, element, [
          'every remove that had begun by then had ended before the last add began',
        ]);
        return;
      }
      if (mayRemove(read.invokedAt)) this.#standing.delete(element);
    }
  }

  #indexOf(element: Element): ElementIndex {
    let index = this.#indexes.get(element);
    if (index === undefined) this.#indexes.set(element, (index = indexed(element)));
    return index;
  }

  #tell(
    subject: string,
    what: string,
    read: Operation,
    element: Element | undefined,
    why: readonly string[],
  ): void {
    this.#violations.add((): Violation => {
      const steps = [...(element?.adds ?? []), ...(element?.removes ?? [])]
        .filter((step) => step.invokedAt < read.completedAt)
        .sort((a, b) => a.invokedAt - b.invokedAt)
        .slice(-STEPS_TOLD_MAX);
      const listed = shownBy(read).slice(0, ELEMENTS_TOLD_MAX).map(show).join(', ');
      const more = shownBy(read).length > ELEMENTS_TOLD_MAX ? ', ...' : '';
      return {
        reason: `${subject} ${nameOf(this.#key)} ${what}`,
        witness: {
          lines: [
            ...steps.map(tellStep),
            `process ${read.process} read ${nameOf(this.#key)} from ${began(read)} to ${ended(read)} and was shown [${listed}${more}]`,
            ...why,
          ],
          operations: [...steps, read],
        },
      };
    });
  }
}

const STEPS_TOLD_MAX = 8;
const ELEMENTS_TOLD_MAX = 20;

function tellStep(step: Operation): string {
  const verb = step.f === 'add' ? 'added' : 'removed';
  return `process ${step.process} ${verb} ${show(step.input)} (begun at ${began(step)}, ${fate(step)})`;
}
