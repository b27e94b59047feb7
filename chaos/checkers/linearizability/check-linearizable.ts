/**
 * Linearizability: is there one order of the operations, true to real time, that a single copy of the object could have
 * given? (Herlihy & Wing, 1990.)
 *
 * A history is linearizable exactly if it is for each object alone, so each key is judged by itself. Registers whose written
 * values are unique take a near-linear way (`zones.ts`), and so do stores of texts whose parts can be told apart (`texts.ts`);
 * everything else is a bounded search (`search.ts`).
 * `fail` did not happen, `info` may happen at any later time or never, and reads that were not answered tell nothing.
 * Operations of the process `nemesis` are not about the object.
 */
import type { Operation, Value } from '../../history/history.js';
import { CHECK_BUDGET_DEFAULT, worstOf, type CheckBudget, type Verdict } from '../verdict.js';
import { showValue, type Model, type ModelName, type ModelOptions } from './model.js';
import { assertSpoken, modelOf } from './models.js';
import { planOf } from './plan.js';
import { elementsNamed } from './set-element-model.js';
import { searchOrder, type Meter, type SearchResult } from './search.js';
import { argueTexts } from './text-witness.js';
import { findTextContradiction } from './texts.js';
import { argumentVerdict, contradictionVerdict, searchVerdict } from './witness.js';
import { findContradiction } from './zones.js';

export interface LinearizabilityOptions extends ModelOptions {
  readonly model: ModelName;
  readonly initial?: Value;
  readonly budget?: CheckBudget;
}

/** The searches of a set's elements, each alone, get one in so many steps. */
const ELEMENTS_SHARE = 4;

/** The verdict over all keys: of the first that is not linearizable, else of the first that nobody can tell. */
export function checkLinearizable(
  operations: readonly Operation[],
  options: LinearizabilityOptions,
): Verdict {
  const budget = options.budget ?? CHECK_BUDGET_DEFAULT;
  const meter: Meter = { stepsLeft: budget.stepsMax, bytesMax: budget.bytesMax };
  const objects = byKey(operations);
  for (const concerned of objects.values()) assertSpoken(options.model, concerned);
  const verdicts: Verdict[] = [];
  let judged = 0;
  for (const [key, concerned] of objects) {
    judged += concerned.length;
    const verdict = checkObject(concerned, options, meter);
    if (verdict.validity === 'valid') continue;
    const reason = key === undefined ? verdict.reason : `key ${showValue(key)}: ${verdict.reason}`;
    verdicts.push({ ...verdict, reason });
    if (verdict.validity === 'invalid') break;
  }
  const over = objects.size > 1 ? ` over ${objects.size} keys` : '';
  return worstOf(verdicts, `linearizable as a ${options.model}: ${judged} operations${over}`);
}

function byKey(operations: readonly Operation[]): Map<string | undefined, Operation[]> {
  const objects = new Map<string | undefined, Operation[]>();
  for (const operation of operations) {
    if (operation.process === 'nemesis') continue;
    const concerned = objects.get(operation.key);
    if (concerned === undefined) objects.set(operation.key, [operation]);
    else concerned.push(operation);
  }
  return objects;
}

function checkObject(
  operations: readonly Operation[],
  options: LinearizabilityOptions,
  meter: Meter,
): Verdict {
  if (options.model === 'register' || options.model === 'cas-register') {
    const contradiction = findContradiction(operations, options);
    if (contradiction === 'none') return { validity: 'valid', reason: 'linearizable' };
    if (contradiction !== undefined)
      return contradictionVerdict(contradiction, operations, options, meter.bytesMax);
  }
  if (options.model === 'kv') {
    const contradiction = findTextContradiction(operations, options);
    if (contradiction === 'none') return { validity: 'valid', reason: 'linearizable' };
    if (contradiction !== undefined)
      return argumentVerdict(argueTexts(contradiction), operations, options, meter.bytesMax);
  }
  if (options.model === 'set') {
    const refuted = refutedElement(operations, options, meter);
    if (refuted !== undefined) return refuted;
  }
  const model = modelOf(options.model, operations, options);
  return searchVerdict(search(model, operations, meter), operations, options, meter.bytesMax);
}

/**
 * The verdict on a set of which one element alone has no order; undefined where each has one, or nobody can tell. Of a set that
 * only grows the search of the whole is as quick.
 */
function refutedElement(
  operations: readonly Operation[],
  options: LinearizabilityOptions,
  meter: Meter,
): Verdict | undefined {
  const elements = elementsNamed(operations);
  if (elements.length < 2 || operations.every(({ f, outcome }) => f !== 'remove' || outcome === 'fail'))
    return undefined;
  // All elements together may take a part of the budget, the search of the whole has the rest.
  const share = Math.floor(meter.stepsLeft / ELEMENTS_SHARE);
  let left = share;
  for (const element of elements) {
    if (left < operations.length) break;
    const spending: Meter = { stepsLeft: left - operations.length, bytesMax: meter.bytesMax };
    const alone = { ...options, element };
    const result = search(modelOf('set', operations, alone), operations, spending);
    left = spending.stepsLeft;
    if (result.outcome !== 'not-linearizable') continue;
    const verdict = searchVerdict(result, operations, alone, meter.bytesMax);
    return { ...verdict, reason: `${verdict.reason}, for what it says of ${showValue(element)}` };
  }
  meter.stepsLeft -= share - Math.max(0, left);
  return undefined;
}

function search(model: Model, operations: readonly Operation[], meter: Meter): SearchResult {
  return searchOrder(model, planOf(model, operations), meter);
}
