/**
 * The search for a linear order: Wing & Gong's, with Lowe's memo of configurations, and undo instead of copies.
 *
 * From a configuration (steps made, state) it makes every step that may be next and that the model accepts. It holds, by these
 * exchanges of neighbours in an order that exists, that some of them need not be tried:
 * - An observation that the state accepts is made at once and never undone by itself: moved forward to here it changes nothing for others.
 * - Of two open steps of one kind, the one that completes first goes first (pending ones complete never).
 * - A pending step that changes nothing stays out, and so does one that helps no step that could come next (`Model.helps`).
 * - Where changes commute, the same holds for certain ones, until they are the first to complete.
 * - Where the step that completes first needs a state that no chain of open steps leads to, nothing need be tried; nor where
 *   an object that only grows has outgrown what an open observation saw.
 * The step that completes first must be placed before anything else can be: what makes it acceptable is tried first.
 *
 * Bounded by steps and by estimated bytes; beyond either the answer is `exhausted`.
 */
import { Configurations, mix } from './configurations.js';
import type { Model, State, Step } from './model.js';
import { OpenSteps } from './open-steps.js';
import type { Plan } from './plan.js';

/** What may still be spent; shared by all searches of one check. */
export interface Meter {
  stepsLeft: number;
  readonly bytesMax: number;
}

export interface SearchResult {
  readonly outcome: 'linearizable' | 'not-linearizable' | 'exhausted';
  /** Which bound ended it, of `exhausted`. */
  readonly bound?: 'steps' | 'bytes';
  /** The order found; else the one that got furthest, of those the search went through. */
  readonly placed: readonly Step[];
  /** The state after `placed`, to be read. */
  readonly held: string;
  /** The step that had to come next: it completes first of those not placed. */
  readonly blocked?: Step;
}

export function searchOrder(model: Model, plan: Plan, meter: Meter): SearchResult {
  return new Search(model, plan, meter).run();
}

interface Frame {
  /** Length of the trail before observations were made. */
  readonly trail: number;
  readonly state: State;
  /** Where its choices lie. */
  readonly from: number;
  next: number;
}

const BYTES_PER_FRAME = 80;
const BYTES_PER_STEP = 32;

class Search {
  private readonly model: Model;
  private readonly meter: Meter;
  private readonly stepCost: number;
  private readonly required: readonly Step[];
  private readonly pending: readonly (readonly Step[])[];
  private readonly open: OpenSteps;
  /** Numbers of kinds, of the required steps and then of the pending classes. */
  private readonly kinds: Int32Array;
  /** Made steps: a number below `required.length`, or that plus the number of a pending class. */
  private readonly trail: Int32Array;
  private trailLength = 0;
  /** Per length of the trail, the highest required step in it. */
  private readonly highest: Int32Array;
  private requiredMade = 0;
  private readonly made: Int32Array;
  private readonly used: Int32Array;
  /** Per pending class, the last completion of a step that may see its effect. */
  private readonly until: readonly number[];
  private hash = 0;
  private readonly memo = new Configurations();
  private readonly entry: Int32Array;
  /** Scratch of `remember`: the pending classes that were used and still matter. */
  private readonly spent: Int32Array;
  /** What is used of each class, but for those that no longer matter: then 0. */
  private readonly uses: Int32Array;
  private readonly stateNumbers = new Map<State, number>();
  private stateBytes = 0;
  private readonly frames: Frame[] = [];
  private readonly choices: number[] = [];
  /** Scratch of `choose`: per kind, the open step of it that completes first. */
  private readonly firstOfKind: Int32Array;
  private bestMade = -1;
  private bestTrail: number[] = [];
  private bestState: State;
  private bestBlocked = -1;
  /** How much of `bestTrail` the trail still shares. */
  private bestShared = 0;

  constructor(model: Model, plan: Plan, meter: Meter) {
    this.model = model;
    this.meter = meter;
    this.stepCost = model.stepCost ?? 1;
    this.required = plan.required;
    this.pending = plan.pending;
    const n = plan.required.length;
    this.open = new OpenSteps(plan.required);
    const kinds = new Map<string, number>();
    const kindOf = (kind: string): number => {
      const number = kinds.get(kind) ?? kinds.size;
      kinds.set(kind, number);
      return number;
    };
    this.kinds = Int32Array.from([...plan.required, ...plan.pending.map((alike) => alike[0]!)], (step) =>
      kindOf(step.kind),
    );
    this.firstOfKind = new Int32Array(kinds.size).fill(-1);
    this.trail = new Int32Array(n + plan.pending.reduce((sum, alike) => sum + alike.length, 0));
    this.highest = new Int32Array(this.trail.length + 1);
    this.made = new Int32Array((n >> 5) + 1);
    this.used = new Int32Array(plan.pending.length);
    this.entry = new Int32Array(3 + this.used.length + this.made.length);
    this.spent = new Int32Array(this.used.length);
    this.uses = new Int32Array(this.used.length);
    this.until = plan.pending.map((alike) => plan.until.get(alike[0]!) ?? Infinity);
    this.bestState = model.initial;
  }

  run(): SearchResult {
    if (this.enter(this.model.initial)) return this.found(this.model.initial);
    for (let frame = this.frames.at(-1); frame !== undefined; frame = this.frames.at(-1)) {
      if (frame.next === this.choices.length) {
        this.leave();
        continue;
      }
      const bound = this.exhausted();
      if (bound !== undefined) return this.failed('exhausted', bound);
      const choice = this.choices[frame.next++]!;
      const after = this.stepOf(choice).apply(frame.state)!;
      this.make(choice);
      if (this.enter(after)) return this.found(after);
    }
    return this.failed('not-linearizable');
  }

  /** Makes what can be observed, and lists what can be made next. True if nothing is left to be placed. */
  private enter(state: State): boolean {
    // The step that led here is undone with this frame.
    const trail = this.frames.length === 0 ? 0 : this.trailLength - 1;
    this.frames.push({ trail, state, from: this.choices.length, next: this.choices.length });
    if (typeof state === 'bigint') this.stateBytes += bytesOf(state);
    this.observe(state);
    if (this.open.empty) return true;
    if (!this.remember(state)) return false;
    this.choose(state);
    return false;
  }

  private leave(): void {
    const frame = this.frames.pop()!;
    this.choices.length = frame.from;
    this.keepBest(frame.state);
    while (this.trailLength > frame.trail) this.unmake();
    if (typeof frame.state === 'bigint') this.stateBytes -= bytesOf(frame.state);
  }

  private observe(state: State): void {
    const { open, required } = this;
    const n = required.length;
    for (let node = open.first; node < n; node = open.next[node]!) {
      const step = required[node]!;
      if (!step.observes || step.apply(state) !== state) continue;
      this.make(node);
      // A node taken out still knows what came after it; if that was its own completion, the walk goes on behind that.
      if (open.next[node] === n + node) node = n + node;
    }
  }

  private choose(state: State): void {
    const { open, required, kinds, firstOfKind, model } = this;
    const n = required.length;
    const refused: Step[] = [];
    const accepted: number[] = [];
    let node = open.first;
    for (; node < n; node = open.next[node]!) {
      if (required[node]!.apply(state) === undefined) {
        refused.push(required[node]!);
        continue;
      }
      const kind = kinds[node]!;
      const other = firstOfKind[kind]!;
      if (other === -1 || open.completionRank[node]! < open.completionRank[other]!) firstOfKind[kind] = node;
      accepted.push(node);
    }
    const first = node - n;
    const deadline = required[first]!.operation.completedAt;
    const heads: number[] = [];
    for (let alike = 0; alike < this.pending.length; alike++) {
      const head = this.pending[alike]![this.used[alike]!];
      if (head === undefined || head.operation.invokedAt > deadline || this.until[alike]! < deadline)
        continue;
      const after = head.apply(state);
      if (after === undefined) refused.push(head);
      else if (after !== state && firstOfKind[kinds[n + alike]!] === -1) heads.push(alike);
    }
    // A step costs what it looked at: among many open ones, listing the choices is the work.
    this.meter.stepsLeft -= this.stepCost * (accepted.length + refused.length + heads.length);
    const needed = required[first]!;
    const { outgrown } = model;
    if (
      (needed.apply(state) === undefined && !this.reachable(needed.needs, state, accepted, refused, heads)) ||
      (outgrown !== undefined && refused.some(({ needs }) => needs !== undefined && outgrown(state, needs)))
    ) {
      for (const choice of accepted) firstOfKind[kinds[choice]!] = -1;
      return;
    }
    const later: number[] = [];
    const offer = (choice: number, after: State): void => {
      const enables = choice !== first && required[first]!.apply(after) !== undefined;
      if (choice === first || enables) this.choices.push(choice);
      else later.push(choice);
    };
    for (const choice of accepted) {
      if (firstOfKind[kinds[choice]!] !== choice) continue;
      const step = required[choice]!;
      const after = step.apply(state)!;
      // An observation is here only if it settles the state; that is always tried.
      if (model.commutes && choice !== first && !step.observes && !this.helpsAny(state, after, refused))
        continue;
      offer(choice, after);
    }
    for (const alike of heads) {
      const after = this.pending[alike]![this.used[alike]!]!.apply(state)!;
      if (this.helpsAny(state, after, refused)) offer(n + alike, after);
    }
    for (const choice of later) this.choices.push(choice);
    for (const choice of accepted) firstOfKind[kinds[choice]!] = -1;
  }

  /** Whether the open steps could lead to a state, were each to be used as often as one likes. */
  private reachable(
    wanted: State | undefined,
    state: State,
    accepted: readonly number[],
    refused: readonly Step[],
    heads: readonly number[],
  ): boolean {
    if (wanted === undefined) return true;
    const reached = new Set<State>([state]);
    for (const choice of accepted) {
      const { leaves, observes } = this.required[choice]!;
      if (leaves !== undefined) reached.add(leaves);
      else if (!observes) return true;
    }
    for (const alike of heads) {
      const { leaves } = this.pending[alike]![this.used[alike]!]!;
      if (leaves === undefined) return true;
      reached.add(leaves);
    }
    for (let before = -1; before < reached.size && !reached.has(wanted);) {
      before = reached.size;
      for (const { needs, leaves, observes } of refused) {
        if (needs === undefined || reached.has(needs)) {
          if (leaves !== undefined) reached.add(leaves);
          else if (!observes) return true;
        }
      }
    }
    return reached.has(wanted);
  }

  private helpsAny(before: State, after: State, refused: readonly Step[]): boolean {
    const { helps, unsettled } = this.model;
    if (helps === undefined || before === unsettled) return true;
    for (const next of refused) if (helps(before, after, next)) return true;
    return false;
  }

  private stepOf(choice: number): Step {
    const n = this.required.length;
    return choice < n ? this.required[choice]! : this.pending[choice - n]![this.used[choice - n]!]!;
  }

  private make(choice: number): void {
    const n = this.required.length;
    this.trail[this.trailLength++] = choice;
    const highest = this.highest[this.trailLength - 1]!;
    this.highest[this.trailLength] = choice < n && choice > highest ? choice : highest;
    if (choice < n) {
      this.open.take(choice);
      this.made[choice >> 5]! |= 1 << (choice & 31);
      this.requiredMade++;
      this.hash ^= mix(choice + 1);
    } else {
      this.used[choice - n]!++;
    }
  }

  private unmake(): void {
    const n = this.required.length;
    const choice = this.trail[--this.trailLength]!;
    if (choice < n) {
      this.open.putBack(choice);
      this.made[choice >> 5]! &= ~(1 << (choice & 31));
      this.requiredMade--;
      this.hash ^= mix(choice + 1);
    } else {
      this.used[choice - n]!--;
    }
    if (this.trailLength < this.bestShared) this.bestShared = this.trailLength;
  }

  /** False if the search was here before, having spent no more of what is pending. */
  private remember(state: State): boolean {
    const { entry, made, used, memo, uses, spent } = this;
    // The first open invocation is the lowest step not made: all words before its own are full.
    const from = this.open.first >> 5;
    const until = this.highest[this.trailLength]! >> 5;
    let [length, hash, classes] = [3, this.hash, 0];
    if (this.model.stateFollowsFromSteps) {
      entry[1] = 0;
      for (let alike = 0; alike < used.length; alike++) {
        entry[length++] = used[alike]!;
        hash ^= mix(Math.imul(used[alike]!, 0x9e3779b1) - alike);
      }
    } else {
      const number = this.numberOf(state);
      entry[1] = number;
      hash ^= mix(number ^ 0x5bd1e995);
      const deadline = this.required[this.firstToComplete()]!.operation.completedAt;
      for (let alike = 0; alike < used.length; alike++) {
        const matters = used[alike]! > 0 && this.until[alike]! >= deadline;
        uses[alike] = matters ? used[alike]! : 0;
        if (matters) spent[classes++] = alike;
      }
    }
    const bits = length;
    entry[2] = from;
    for (let word = from; word <= until; word++) entry[length++] = made[word]!;
    while (length > bits && entry[length - 1] === 0) length--;
    entry[0] = length;
    const isNew = memo.add(entry, length, hash, spent, classes, uses);
    this.meter.stepsLeft -= memo.compared >> 2;
    return isNew;
  }

  /** The step that completes first of those not made. */
  private firstToComplete(): number {
    let node = this.open.first;
    while (node < this.required.length) node = this.open.next[node]!;
    return node - this.required.length;
  }

  private numberOf(state: State): number {
    if (typeof state === 'number') return state;
    let number = this.stateNumbers.get(state);
    if (number === undefined) {
      number = this.stateNumbers.size;
      this.stateNumbers.set(state, number);
      this.stateBytes += bytesOf(state);
    }
    return number;
  }

  private exhausted(): 'steps' | 'bytes' | undefined {
    this.meter.stepsLeft -= this.stepCost;
    if (this.meter.stepsLeft < 0) return 'steps';
    const { memo } = this;
    const bytes =
      (memo.mustGrow(this.entry.length, this.used.length) ? memo.bytesIfGrown : memo.bytes) +
      this.stateBytes +
      (this.model.heldBytes?.() ?? 0) +
      BYTES_PER_FRAME * this.frames.length +
      BYTES_PER_STEP * (this.required.length + this.choices.length);
    return bytes > this.meter.bytesMax ? 'bytes' : undefined;
  }

  /** Remembers the furthest trail. Only what differs from the last one is copied, so all copies together cost what the search did. */
  private keepBest(state: State): void {
    if (this.requiredMade <= this.bestMade) return;
    this.bestTrail.length = this.bestShared;
    for (let at = this.bestShared; at < this.trailLength; at++) this.bestTrail.push(this.trail[at]!);
    this.bestShared = this.trailLength;
    this.bestMade = this.requiredMade;
    this.bestState = state;
    this.bestBlocked = this.firstToComplete();
  }

  private found(state: State): SearchResult {
    const placed = this.stepsOf(this.trail.subarray(0, this.trailLength));
    return { outcome: 'linearizable', placed, held: this.model.show(state) };
  }

  private failed(outcome: 'not-linearizable' | 'exhausted', bound?: 'steps' | 'bytes'): SearchResult {
    const frame = this.frames.at(-1);
    if (frame !== undefined) this.keepBest(frame.state);
    const blocked = this.required[this.bestBlocked]!;
    const placed = this.stepsOf(this.bestTrail);
    const held = this.model.show(this.bestState);
    return { outcome, placed, held, blocked, ...(bound === undefined ? {} : { bound }) };
  }

  private stepsOf(trail: Iterable<number>): Step[] {
    const n = this.required.length;
    const used = new Int32Array(this.used.length);
    return Array.from(trail, (choice) =>
      choice < n ? this.required[choice]! : this.pending[choice - n]![used[choice - n]!++]!,
    );
  }
}

function bytesOf(state: string | bigint): number {
  return 64 + (typeof state === 'string' ? state.length : state.toString(16).length >> 1);
}
